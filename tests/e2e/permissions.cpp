// SPDX-License-Identifier: Apache-2.0
// Promise: file permissions are the access control: query.sock for root and the group, control.sock
// for root alone.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace test_permissions {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr uid_t nobody = 65534;
constexpr gid_t no_group = 65533; ///< of no socket

struct stat status_of(const std::string& path) {
    struct stat status {};
    need(::stat(path.c_str(), &status) == 0, path);
    return status;
}

/// connect() to the socket as another user; 0 or its errno.
int connect_as(uid_t user, gid_t group, const std::string& path) {
    Process child;
    child.fork([&]() -> int {
        need(::setgroups(0, nullptr) == 0 && ::setresgid(group, group, group) == 0 &&
                 ::setresuid(user, user, user) == 0,
             "giving up root");
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto* to = reinterpret_cast<const sockaddr*>(&address);
        return ::connect(socket.get(), to, sizeof address) == 0 ? 0 : errno;
    });
    return child.wait().value_or(-1);
}

void query_socket() {
    auto& ballastd = start_ballastd(limit_policy(1));
    const auto path = ballastd.runtime_dir() + "/query.sock";
    const auto status = status_of(path);
    check(S_ISSOCK(status.st_mode), "query.sock is a socket");
    check_equal(status.st_mode & 0777U, 0660U, "mode of query.sock");
    const auto* group = ::getgrnam("ballast");
    check_equal(status.st_gid, group != nullptr ? group->gr_gid : ::getegid(),
                "group of query.sock: ballast where there is one");
    check_errno(connect_as(nobody, no_group, path), EACCES, "a user outside the group");
    if (status.st_gid != 0)
        check_errno(connect_as(nobody, status.st_gid, path), 0, "a user of the group");
}

void control_socket() {
    auto& ballastd = start_ballastd(limit_policy(1));
    const auto path = ballastd.runtime_dir() + "/control.sock";
    const auto status = status_of(path);
    check(S_ISSOCK(status.st_mode), "control.sock is a socket");
    check_equal(status.st_mode & 0777U, 0600U, "mode of control.sock");
    check_equal(status.st_uid, 0U, "owner of control.sock");
    const auto group = status_of(ballastd.runtime_dir() + "/query.sock").st_gid;
    check_errno(connect_as(nobody, group, path), EACCES, "a user of the group");
}

void gone_after_stop() {
    auto& ballastd = start_ballastd(limit_policy(1));
    ballastd.stop();
    for (const char* name : {"query.sock", "control.sock"})
        check(::access((ballastd.runtime_dir() + "/" + name).c_str(), F_OK) != 0,
              fmt::format("{} is gone after an orderly end", name));
    constexpr int unreachable = 3;
    const auto outcome = ballastd.cli({"status"});
    check_equal(outcome.status, unreachable, "exit status of ballast status with no daemon");
}

} // namespace

TEST_GROUP(permissions) {
    return Suite()
        .add("query.sock is for root and the group", query_socket)
        .add("control.sock is for root", control_socket)
        .add("both are gone after a stop", gone_after_stop)
        .run("permissions");
}

} // namespace test_permissions

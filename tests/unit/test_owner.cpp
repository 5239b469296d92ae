// SPDX-License-Identifier: Apache-2.0
// daemon/findings/owner: the process that has a socket open, in a /proc of the test's own.
#include "daemon/findings/owner.h"

#include <filesystem>
#include <fstream>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/temporary_directory.h"

namespace test_owner {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using findings::OwnerFinder;
using findings::unit_of;
namespace fs = std::filesystem;

const OwnerFinder::Monotonic start{1h};
constexpr std::uint32_t space = 4026531840;

fs::path process(int pid, const std::string& comm, std::uint32_t netns = space) {
    fs::path made = test::directory / std::to_string(pid);
    fs::create_directories(made / "fd");
    fs::create_directories(made / "ns");
    fs::create_symlink("net:[" + std::to_string(netns) + "]", made / "ns" / "net");
    std::ofstream(made / "comm") << comm << "\n";
    std::ofstream(made / "cgroup") << "0::/system.slice/" << comm << ".service\n";
    return made;
}

void opens(const fs::path& process, int fd, std::uint32_t inode) {
    fs::create_symlink("socket:[" + std::to_string(inode) + "]",
                       process / "fd" / std::to_string(fd));
}

OwnerFinder finder() {
    return OwnerFinder(test::directory.string());
}

void the_process_is_named(void**) {
    opens(process(7, "init"), 3, 70);
    const auto java = process(812, "java");
    fs::create_symlink("/dev/null", java / "fd" / "0");
    fs::create_symlink("pipe:[99]", java / "fd" / "1");
    opens(java, 2, 98);
    opens(java, 5, 99);
    fs::create_directories(test::directory / "sys");
    const SocketOwner wanted{812, "java", "java.service"};
    auto owners = finder();
    assert_true(owners.find(space, 99, start) == wanted);
    assert_int_equal(owners.skipped(), 0);
}

void nobody_is_named_for_what_nobody_has(void**) {
    opens(process(7, "init"), 3, 70);
    auto owners = finder();
    assert_true(owners.find(space, 7, start) == SocketOwner{});
    assert_true(owners.find(space, 0, start) == SocketOwner{});
    assert_int_equal(owners.skipped(), 0);
    OwnerFinder nowhere((test::directory / "none").string());
    assert_true(nowhere.find(space, 70, start) == SocketOwner{});
}

/// A process may have sockets in namespaces that it does not live in; much that others have open
/// is not in the way of those that do.
void who_lives_in_the_namespace_comes_first(void**) {
    const auto other = process(7, "other", 1);
    opens(other, 3, 99);
    auto owners = finder();
    assert_int_equal(owners.find(space, 99, start).pid, 7);
    for (int fd = 10; fd < 2000; ++fd)
        opens(other, fd, 1);
    opens(process(8, "mine"), 3, 99);
    for (unsigned i = 0; i < 200; ++i)
        assert_int_equal(owners.find(space, 99, start + 2s).pid, 8);
    assert_int_equal(owners.skipped(), 0);
}

/// A process without files of its own to show, as those are that end just now.
void what_cannot_be_read_is_passed_over(void**) {
    fs::create_directories(test::directory / "5");
    fs::remove(process(6, "ending") / "fd");
    const auto there = process(7, "there");
    opens(there, 3, 99);
    fs::remove(there / "comm");
    fs::remove(there / "cgroup");
    assert_true(finder().find(space, 99, start) == (SocketOwner{7, "", ""}));
}

void a_second_has_room_for_so_many(void**) {
    const auto busy = process(7, "busy");
    for (int fd = 0; fd < 3000; ++fd)
        opens(busy, fd, 1000 + static_cast<std::uint32_t>(fd));
    auto owners = finder();
    unsigned complete = 0;
    while (owners.skipped() == 0 && complete < 100) {
        (void)owners.find(space, 99, start);
        complete += owners.skipped() == 0 ? 1U : 0U;
    }
    assert_int_equal(complete, OwnerFinder::most_links / 3002); // looked at twice
    assert_int_equal(owners.find(space, 1000, start + 999ms).pid, 0);
    assert_int_equal(owners.skipped(), 2);
    assert_int_equal(owners.find(space, 1000, start + 1s).pid, 7);
    assert_int_equal(owners.skipped(), 2);
}

void a_unit_is_the_outermost(void**) {
    struct Case {
        const char* text;
        const char* unit;
    };
    for (const Case& c : {
             Case{"0::/system.slice/nginx.service\n", "nginx.service"},
             Case{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/sshd.service\n",
                  "user@1000.service"},
             Case{"0::/machine.slice/libpod-12ab.scope/container\n", "libpod-12ab.scope"},
             Case{"12:pids:/a.service\n1:name=systemd:/b.service\n0::/c.service\n", "c.service"},
             Case{"0::/kubepods/pod7/12ab\n", "/kubepods/pod7/12ab"},
             Case{"0::/\n", "/"},
             Case{"0::/a.service", "a.service"},
             Case{"1:name=systemd:/b.service\n", ""},
             Case{"", ""},
         })
        assert_string_equal(unit_of(c.text).c_str(), c.unit);
    assert_int_equal(unit_of("0::/" + std::string(1000, 'a')).size(), 255);
}

int run() {
    const CMUnitTest tests[] = {
        BALLAST_CASE(the_process_is_named),
        BALLAST_CASE(nobody_is_named_for_what_nobody_has),
        BALLAST_CASE(who_lives_in_the_namespace_comes_first),
        BALLAST_CASE(what_cannot_be_read_is_passed_over),
        BALLAST_CASE(a_second_has_room_for_so_many),
        BALLAST_CASE(a_unit_is_the_outermost),
    };
    return cmocka_run_group_tests_name("owner", tests, nullptr, nullptr);
}

} // namespace

TEST_GROUP(owner) {
    return ballast::test::run_with_directories(run);
}

} // namespace test_owner

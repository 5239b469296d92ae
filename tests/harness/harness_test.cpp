// SPDX-License-Identifier: Apache-2.0
// The harness itself, without Ballast: what the end-to-end tests take on trust.
#include <csignal>
#include <filesystem>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/check.h"
#include "tests/harness/crowd.h"
#include "tests/harness/group.h"
#include "tests/harness/nginx.h"
#include "tests/harness/registry.h"
#include "tests/harness/ss.h"
#include "tests/harness/suite.h"

namespace test_harness {

using namespace ballast;
using namespace ballast::test;

namespace {

void counts_what_is_open(const Family& family) {
    const auto link = make_link();
    auto& server = make<Listener>(link.server, Dest{family.server, 8080});
    auto& open = make<std::vector<Fd>>();
    for (int i = 0; i < 3; ++i)
        open.push_back(attempt(link.client, server.dest()).socket);
    open.push_back(connecting(link.client, {family.silent, 8080}));
    check_equal(ss_count(link.client.fd(), server.dest(), "ESTAB"), 3U, "established, by ss");
    check_equal(ss_served(link.server.fd(), server.dest(), "ESTAB"), 3U, "served, by ss");
    check_equal(ss_held(link.client.fd(), {family.silent, 8080}), 1U, "connecting, by ss");
    check_errno(attempt(link.client, {family.server, 8081}).error, ECONNREFUSED, "closed port");
    check_errno(attempt(link.client, {family.unrouted, 80}).error, ENETUNREACH, "no route");
}

void mapped_counts_as_v4() {
    const auto link = make_link();
    auto& server = make<Listener>(link.server, Dest{"10.77.0.2", 8080});
    auto& socket = make<Fd>(tcp_socket(link.client, AF_INET6));
    check_errno(connect_errno(socket, server.dest()), 0, "connect to ::ffff:10.77.0.2");
    check_equal(ss_held(link.client.fd(), server.dest()), 1U, "v4-mapped connections");
}

void minisockets_are_not_held(const Family& family) {
    const auto link = make_link();
    auto& server = make<Listener>(link.server, Dest{family.server, 8080});
    auto& client = make<Fd>(attempt(link.client, server.dest()).socket);
    auto& accepted = make<Fd>(server.accept());
    ::shutdown(client.get(), SHUT_WR);
    check_equal(ss_held(link.client.fd(), server.dest()), 1U, "half closed, still owned");
    client.reset();
    // A delayed acknowledgement of the FIN leaves a whole socket, in FIN-WAIT-1, for some 40 ms.
    await_equal([&] { return ss_held(link.client.fd(), server.dest()); }, 0U,
                "half closed and not owned");
    accepted.reset();
}

void crowd_counts_itself(const Family& family) {
    const auto link = make_link();
    auto& nginx = make<Nginx>(link.server);
    auto& crowd = make<Crowd>(link.client);
    const Dest dest{family.server, nginx.next_port()};
    crowd.race({.dest = dest, .threads = 8, .attempts = 40});
    check_equal(crowd.counts().surprises.load(), 0U, "errors of the crowd");
    check_equal(crowd.counts().held.load(), 40U, "held by the crowd");
    await_equal([&] { return nginx.requests(dest.port); }, 40U, "requests that nginx logged");
    check_equal(ss_count(link.client.fd(), dest, "ESTAB"), 40U, "held, by ss");
    crowd.close_some(15);
    await_equal([&] { return ss_held(link.client.fd(), dest); }, 25U, "what is left, by ss");
    crowd.race({.dest = dest, .threads = 8, .attempts = 100, .churn = true});
    check_equal(crowd.counts().held.load(), 25U, "held after churn");
    check(crowd.counts().held_max.load() <= 40, "the maximum is not below what was held");
}

/// Runs this executable again with a word that makes it fail; what it leaves behind is the test.
Outcome fail_on_purpose(const std::string& how) {
    return run(
        {.argv = {"/proc/self/exe", "harness", how}, .environment = {"CMOCKA_TEST_ABORT=0"}});
}

void check_nothing_left(const std::string& output) {
    const auto begin = output.find("run name ");
    check(begin != std::string::npos, "the failing run told its name: " + output);
    const auto name = output.substr(begin + 9, output.find('\n', begin) - begin - 9);
    for (const std::string& place : {cgroup_mount(), std::string("/tmp"), bpffs_mount()}) {
        for (const auto& entry : std::filesystem::directory_iterator(place))
            check(!entry.path().filename().string().starts_with(name),
                  fmt::format("{} is gone", entry.path().string()));
    }
    check(read_file("/proc/self/mounts").find(name + "/") == std::string::npos, "no mount is left");
}

void failure_cleans_up() {
    const auto outcome = fail_on_purpose("fail");
    check_equal(outcome.status, 1, "status of one failing test");
    check(outcome.out.find("not ok 1 - fails") != std::string::npos, outcome.out);
    check(outcome.out.find("evidence") != std::string::npos, "the evidence was shown");
    check(outcome.out.find("destroyed") != std::string::npos, "resources were destroyed");
    check_nothing_left(outcome.out);
}

void crash_cleans_up() {
    const auto outcome = fail_on_purpose("crash");
    check_equal(outcome.status, 128 + SIGKILL, "status of a killed test");
    check_nothing_left(outcome.out);
}

void cases_at_once_are_told_apart() {
    const auto outcome = fail_on_purpose("at once");
    check_equal(outcome.status, 2, "status of two failing tests");
    for (const auto* part : {"1..3\n", "\nok 1 - waits for the next\n", "\nnot ok 2 - fails\n",
                             "# evidence\n", "# ended by signal 9\nnot ok 3 - crashes\n"})
        check(outcome.out.find(part) != std::string::npos, outcome.out);
    check_nothing_left(outcome.out);
}

struct Witness {
    ~Witness() { note("destroyed"); }
};

void leave_things_behind(bool crash) {
    note(fmt::format("run name {}", run_name()));
    Registry::current().on_failure([] { note("evidence"); });
    make<Witness>();
    auto& cgroup = make<Cgroup>();
    auto& sleeper = make<Process>();
    sleeper.fork([] { return ::pause(); });
    make_temp_dir();
    std::filesystem::create_directory(bpffs_mount() + "/" + unique_name());
    if (crash)
        ::raise(SIGKILL);
    check(cgroup.path().empty(), "this fails on purpose");
}

int fail_at_once() {
    int ends[2];
    need(::pipe(ends) == 0, "pipe");
    return Suite()
        .add("waits for the next",
             [&] { check(wait_fd(ends[0], POLLIN, Clock::now() + patience()), "it came"); })
        .add("fails",
             [&] {
                 need(::write(ends[1], "", 1) == 1, "write");
                 leave_things_behind(false);
             })
        .add("crashes", [] { leave_things_behind(true); })
        .run_at_once("on purpose", 3);
}

int fail_as_told(std::string_view how) {
    if (how == "at once")
        return fail_at_once();
    return Suite().add("fails", [how] { leave_things_behind(how == "crash"); }).run("on purpose");
}

} // namespace

TEST_GROUP(harness) {
    if (!argument.empty())
        return fail_as_told(argument);
    return Suite()
        .each(families, "ss counts what is open", counts_what_is_open)
        .add("ss counts v4-mapped connections as IPv4", mapped_counts_as_v4)
        .each(families, "minisockets are not held", minisockets_are_not_held)
        .each(families, "a crowd counts what it holds", crowd_counts_itself)
        .add("a failing test is cleaned up after", failure_cleans_up)
        .add("a killed test is cleaned up after", crash_cleans_up)
        .add("cases at once are told apart", cases_at_once_are_told_apart)
        .run("harness");
}

} // namespace test_harness

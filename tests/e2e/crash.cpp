// SPDX-License-Identifier: Apache-2.0
// Promise: kill -9 of the daemon changes no decision and loses no count; silence longer than
// daemon_grace ends enforcement, and only that.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <csignal>
#include <thread>

namespace test_crash {

using namespace ballast;
using namespace ballast::test;

namespace {

Scene* scene = nullptr;

std::string graced(const char* grace, unsigned limit) {
    return policy({{.limit = limit}},
                  fmt::format("sweep_interval = \"1s\"\ndaemon_grace = {}", grace));
}

/// A limit in force on a destination of its own.
const Dest& limited(const Family& family, const char* grace, unsigned limit) {
    scene = &make_scene(graced(grace, limit));
    return serve(*scene, family).dest();
}

void keeps_enforcing(const Family& family) {
    const auto& dest = limited(family, "\"60s\"", 3);
    auto& ballastd = scene->ballastd;
    auto& open = open_connections(scene->link.client, dest, 2);
    ballastd.crash();
    auto& third = make<Fd>(attempt(scene->link.client, dest).socket);
    check(static_cast<bool>(third), "a place that was free is given with the daemon dead");
    check_refused(*scene, dest, "the fourth");
    open.clear();
    ballastd.start();
    check(ballastd.status().at("adopted_pins").get<bool>(), "the restart took over");
    check_exact(*scene, dest, 1);
    check_equal(ballastd.value(dest, "admitted"), 3, "admitted, over the crash");
    check_equal(ballastd.value(dest, "refused"), 1, "refused, over the crash");
    check_equal(ballastd.value(dest, "adopted"), 0, "adopted: none was lost");
    open_connections(scene->link.client, dest, 2);
    check_refused(*scene, dest, "one too many");
    check_no_repairs(ballastd);
}

/// The same for an orderly end.
void stop_keeps_enforcing(const Family& family) {
    const auto& dest = limited(family, "\"60s\"", 1);
    open_connections(scene->link.client, dest, 1);
    scene->ballastd.stop();
    check_refused(*scene, dest, "while stopped");
    scene->ballastd.start();
    check_exact(*scene, dest, 1);
    check_no_repairs(scene->ballastd);
}

void crashes_again_and_again(const Family& family) {
    const auto& dest = limited(family, "\"60s\"", 3);
    auto& open = make<std::vector<Fd>>();
    for (int round = 0; round < 3; ++round) {
        open.push_back(attempt(scene->link.client, dest).socket);
        scene->ballastd.crash();
        scene->ballastd.start();
        check_equal(scene->ballastd.in_use(dest), long{round + 1}, "in_use");
    }
    check_refused(*scene, dest, "the fourth");
    check_exact(*scene, dest, 3);
    check_no_repairs(scene->ballastd);
}

/// True once a connection over the limit is admitted.
bool admits(const Dest& dest) {
    auto made = attempt(scene->link.client, dest);
    if (made.error != 0)
        return false;
    make<Fd>(std::move(made.socket));
    return true;
}

void silence_ends_enforcement(const Family& family, int signal) {
    const auto& dest = limited(family, "\"1s\"", 1);
    auto& ballastd = scene->ballastd;
    const long before = fail_open(ballastd, "daemon_silent");
    open_connections(scene->link.client, dest, 1);
    ballastd.signal(signal);
    await([&] { return admits(dest); }, "failing open after daemon_grace");
    if (signal == SIGKILL) {
        ballastd.crash();
        ballastd.start();
    } else {
        ballastd.signal(SIGCONT);
    }
    await([&] { return attempt(scene->link.client, dest).error == ECONNREFUSED; },
          "enforcing again");
    const long silent = fail_open(ballastd, "daemon_silent") - before;
    check(silent > 0, "failing open was counted");
    check_equal(ballastd.value(dest, "over_limit"), silent, "over_limit");
    check_exact(*scene, dest, ss_held(scene->link.client.fd(), dest));
}

void dead_daemon(const Family& family) {
    silence_ends_enforcement(family, SIGKILL);
}

void hung_daemon(const Family& family) {
    silence_ends_enforcement(family, SIGSTOP);
}

/// No event can show that something never happens, hence pauses of more than one grace.
void live_daemon_is_not_silent(const Family& family) {
    const auto& dest = limited(family, "\"3s\"", 1);
    open_connections(scene->link.client, dest, 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(4500));
    check_refused(*scene, dest, "the second");
}

void zero_grace_never_ends(const Family& family) {
    const auto& dest = limited(family, "0", 1);
    open_connections(scene->link.client, dest, 1);
    scene->ballastd.crash();
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));
    check_refused(*scene, dest, "the second");
    scene->ballastd.start();
}

} // namespace

TEST_GROUP(crash) {
    const std::vector<Family> one = {families.front()};
    return Suite()
        .each(families, "a killed daemon's limits stay exact", keeps_enforcing)
        .each(families, "a stopped daemon's limits stay exact", stop_keeps_enforcing)
        .host_each(families, "crashes in a row lose nothing", crashes_again_and_again)
        .each(families, "a dead daemon fails open after the grace", dead_daemon)
        .host_each(one, "a hung daemon fails open after the grace", hung_daemon)
        .host_each(one, "a live daemon does not", live_daemon_is_not_silent)
        .host_each(one, "daemon_grace = 0 never does", zero_grace_never_ends)
        .run_at_once("crash", 4);
}

} // namespace test_crash

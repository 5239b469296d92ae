// SPDX-License-Identifier: Apache-2.0
// Promise: kill -9 of the daemon changes no decision and loses no count; silence longer than
// daemon_grace ends enforcement, and only that.
#include "tests/e2e/scene.h"

#include <csignal>
#include <thread>

using namespace ballast;
using namespace ballast::test;

namespace {

Listener& serve(const Scene& scene, const Family& family) {
    return make<Listener>(scene.link.server, Dest{family.server, 5432});
}

std::string graced(const char* grace, unsigned limit) {
    return policy({{.limit = limit}},
                  fmt::format("sweep_interval = \"1s\"\ndaemon_grace = {}", grace));
}

void keeps_enforcing(const Family& family) {
    auto& scene = make_scene(graced("\"60s\"", 3));
    auto& server = serve(scene, family);
    auto& open = open_connections(scene.link.client, server.dest(), 2);
    scene.ballastd.crash();
    auto& third = make<Fd>(attempt(scene.link.client, server.dest()).socket);
    check(static_cast<bool>(third), "a place that was free is given with the daemon dead");
    check_errno(attempt(scene.link.client, server.dest()).error, ECONNREFUSED, "the fourth");
    open.clear();
    scene.ballastd.start();
    check(scene.ballastd.status().at("adopted_pins").get<bool>(), "the restart took over");
    check_exact(scene, server.dest(), 1);
    check_equal(scene.ballastd.value(server.dest(), "admitted"), 3, "admitted, over the crash");
    check_equal(scene.ballastd.value(server.dest(), "refused"), 1, "refused, over the crash");
    check_equal(scene.ballastd.value(server.dest(), "adopted"), 0, "adopted: none was lost");
    open_connections(scene.link.client, server.dest(), 2);
    check_errno(attempt(scene.link.client, server.dest()).error, ECONNREFUSED, "one too many");
    check_no_repairs(scene.ballastd);
}

/// The same for an orderly end.
void stop_keeps_enforcing(const Family& family) {
    auto& scene = make_scene(graced("\"60s\"", 1));
    auto& server = serve(scene, family);
    open_connections(scene.link.client, server.dest(), 1);
    scene.ballastd.stop();
    check_errno(attempt(scene.link.client, server.dest()).error, ECONNREFUSED, "while stopped");
    scene.ballastd.start();
    check_exact(scene, server.dest(), 1);
    check_no_repairs(scene.ballastd);
}

void crashes_again_and_again(const Family& family) {
    auto& scene = make_scene(graced("\"60s\"", 5));
    auto& server = serve(scene, family);
    auto& open = make<std::vector<Fd>>();
    for (int round = 0; round < 5; ++round) {
        open.push_back(attempt(scene.link.client, server.dest()).socket);
        scene.ballastd.crash();
        scene.ballastd.start();
        check_equal(scene.ballastd.in_use(server.dest()), long{round + 1}, "in_use");
    }
    check_errno(attempt(scene.link.client, server.dest()).error, ECONNREFUSED, "the sixth");
    check_exact(scene, server.dest(), 5);
    check_no_repairs(scene.ballastd);
}

/// True once a connection over the limit is admitted.
bool admits(const Scene& scene, const Dest& dest) {
    auto made = attempt(scene.link.client, dest);
    if (made.error != 0)
        return false;
    make<Fd>(std::move(made.socket));
    return true;
}

void silence_ends_enforcement(const Family& family, int signal) {
    auto& scene = make_scene(graced("\"1s\"", 1));
    auto& server = serve(scene, family);
    open_connections(scene.link.client, server.dest(), 1);
    check_errno(attempt(scene.link.client, server.dest()).error, ECONNREFUSED, "the second");
    ::kill(scene.ballastd.pid(), signal);
    await([&] { return admits(scene, server.dest()); }, "failing open after daemon_grace");
    if (signal == SIGKILL) {
        scene.ballastd.crash();
        scene.ballastd.start();
    } else {
        ::kill(scene.ballastd.pid(), SIGCONT);
    }
    await([&] { return attempt(scene.link.client, server.dest()).error == ECONNREFUSED; },
          "enforcing again");
    check(fail_open(scene.ballastd, "daemon_silent") > 0, "failing open was counted");
    check_equal(scene.ballastd.value(server.dest(), "over_limit"),
                fail_open(scene.ballastd, "daemon_silent"), "over_limit");
    check_exact(scene, server.dest(), ss_held(scene.link.client.fd(), server.dest()));
}

void dead_daemon(const Family& family) {
    silence_ends_enforcement(family, SIGKILL);
}

void hung_daemon(const Family& family) {
    silence_ends_enforcement(family, SIGSTOP);
}

/// Nothing tells that something will never happen, hence the pause of several graces.
void live_daemon_is_not_silent(const Family& family) {
    auto& scene = make_scene(graced("\"5s\"", 1));
    auto& server = serve(scene, family);
    open_connections(scene.link.client, server.dest(), 1);
    std::this_thread::sleep_for(std::chrono::seconds(7));
    check_errno(attempt(scene.link.client, server.dest()).error, ECONNREFUSED, "the second");
}

void zero_grace_never_ends(const Family& family) {
    auto& scene = make_scene(graced("0", 1));
    auto& server = serve(scene, family);
    open_connections(scene.link.client, server.dest(), 1);
    scene.ballastd.crash();
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));
    check_errno(attempt(scene.link.client, server.dest()).error, ECONNREFUSED, "the second");
}

} // namespace

int main() {
    const std::vector<Family> one = {families.front()};
    return Suite()
        .each(families, "a killed daemon's limits stay exact", keeps_enforcing)
        .each(families, "a stopped daemon's limits stay exact", stop_keeps_enforcing)
        .each(families, "five crashes lose nothing", crashes_again_and_again)
        .each(families, "a dead daemon fails open after the grace", dead_daemon)
        .each(one, "a hung daemon fails open after the grace", hung_daemon)
        .each(one, "a live daemon does not", live_daemon_is_not_silent)
        .each(one, "daemon_grace = 0 never does", zero_grace_never_ends)
        .run("crash");
}

// SPDX-License-Identifier: Apache-2.0
// Promise: `ballast disarm` ends all enforcement at once and `ballast arm` undoes it, with the
// daemon alive or dead.
#include "tests/e2e/scene.h"

using namespace ballast;
using namespace ballast::test;

namespace {

void switches(const Family& family, bool dead) {
    auto& scene = make_scene(limit_policy(1));
    auto& server = make<Listener>(scene.link.server, Dest{family.server, 5432});
    auto& open = open_connections(scene.link.client, server.dest(), 1);
    check_errno(attempt(scene.link.client, server.dest()).error, ECONNREFUSED, "while armed");
    if (dead)
        scene.ballastd.crash();
    check(scene.ballastd.json({"disarm"}).at("was_armed").get<bool>(), "it was armed");
    open.push_back(attempt(scene.link.client, server.dest()).socket);
    check(static_cast<bool>(open.back()), "admitted while disarmed");
    check(!scene.ballastd.json({"disarm"}).at("was_armed").get<bool>(), "disarm twice");
    if (dead)
        scene.ballastd.start();
    check(!scene.ballastd.status().at("armed").get<bool>(), "status says disarmed");
    check_equal(scene.ballastd.row(server.dest(), "test").at("mode").get<std::string>(), "observe",
                "the mode shown");
    check_equal(fail_open(scene.ballastd, "disarmed"), 1, "admissions counted as disarmed");
    check_equal(scene.ballastd.value(server.dest(), "over_limit"), 1, "over_limit");
    scene.ballastd.json({"arm"});
    check_errno(attempt(scene.link.client, server.dest()).error, ECONNREFUSED, "armed again");
    check(scene.ballastd.status().at("armed").get<bool>(), "status says armed");
    check_exact(scene, server.dest(), 2);
    check_no_repairs(scene.ballastd);
}

void daemon_alive(const Family& family) {
    switches(family, false);
}

void daemon_dead(const Family& family) {
    switches(family, true);
}

void survives_reload_and_restart(const Family& family) {
    auto& scene = make_scene(limit_policy(1));
    auto& server = make<Listener>(scene.link.server, Dest{family.server, 5432});
    scene.ballastd.json({"disarm"});
    const long before = scene.ballastd.generation();
    scene.ballastd.write_policy(limit_policy(1));
    scene.ballastd.hangup();
    scene.ballastd.await_policy(before);
    scene.ballastd.stop();
    scene.ballastd.start();
    open_connections(scene.link.client, server.dest(), 3);
    check(!scene.ballastd.status().at("armed").get<bool>(), "still disarmed");
}

void nothing_loaded() {
    auto& ballastd = make<Ballastd>("");
    constexpr int not_found = 4;
    for (const char* verb : {"disarm", "arm"}) {
        const auto outcome = ballastd.cli({verb});
        check_equal(outcome.status, not_found, fmt::format("exit status of {}", verb));
        check(outcome.err.find(ballastd.bpffs()) != std::string::npos,
              "it names the directory: " + outcome.err);
    }
}

} // namespace

int main() {
    return Suite()
        .each(families, "with the daemon alive", daemon_alive)
        .each(families, "with the daemon dead", daemon_dead)
        .each(families, "survives a reload and a restart", survives_reload_and_restart)
        .add("with nothing loaded", nothing_loaded)
        .run("kill_switch");
}

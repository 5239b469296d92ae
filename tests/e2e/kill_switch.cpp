// SPDX-License-Identifier: Apache-2.0
// Promise: `ballast disarm` ends all enforcement at once and `ballast arm` undoes it, with the
// daemon alive or dead.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

namespace test_kill_switch {

using namespace ballast;
using namespace ballast::test;

namespace {

Scene* scene = nullptr;

bool is_armed() {
    return scene->ballastd.status().at("armed").get<bool>();
}

void switches(const Family& family, bool dead) {
    auto& ballastd = scene->ballastd;
    const auto& dest = serve(*scene, family).dest();
    const long before = fail_open(ballastd, "disarmed");
    auto& open = open_connections(scene->link.client, dest, 1);
    check_refused(*scene, dest, "while armed");
    if (dead)
        ballastd.crash();
    check(ballastd.json({"disarm"}).at("was_armed").get<bool>(), "it was armed");
    open.push_back(attempt(scene->link.client, dest).socket);
    check(static_cast<bool>(open.back()), "admitted while disarmed");
    check(!ballastd.json({"disarm"}).at("was_armed").get<bool>(), "disarm twice");
    if (dead)
        ballastd.start();
    check(!is_armed(), "status says disarmed");
    check_equal(ballastd.row(dest, "test").at("mode").get<std::string>(), "observe",
                "the mode shown");
    check_equal(fail_open(ballastd, "disarmed") - before, 1, "admissions counted as disarmed");
    check_equal(ballastd.value(dest, "over_limit"), 1, "over_limit");
    ballastd.json({"arm"});
    check_refused(*scene, dest, "armed again");
    check(is_armed(), "status says armed");
    check_exact(*scene, dest, 2);
    check_no_repairs(ballastd);
}

void daemon_alive(const Family& family) {
    switches(family, false);
}

void daemon_dead(const Family& family) {
    switches(family, true);
}

void survives_reload_and_restart(const Family& family) {
    auto& ballastd = scene->ballastd;
    const auto& dest = serve(*scene, family).dest();
    ballastd.json({"disarm"});
    ballastd.enforce(limit_policy(1));
    ballastd.stop();
    ballastd.start();
    open_connections(scene->link.client, dest, 3);
    check(!is_armed(), "still disarmed");
    ballastd.json({"arm"});
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

TEST_GROUP(kill_switch) {
    return Suite()
        .shared([] { scene = &make_scene(limit_policy(1)); })
        .each(families, "with the daemon alive", daemon_alive)
        .each(families, "with the daemon dead", daemon_dead)
        .each(families, "survives a reload and a restart", survives_reload_and_restart)
        .add("with nothing loaded", nothing_loaded)
        .run("kill_switch");
}

} // namespace test_kill_switch

// SPDX-License-Identifier: Apache-2.0
// Promise: findings and actions are reported again, in order and with the same ids, also after the
// daemon was killed; a store that cannot be written stops nothing.
#include "daemon/store/sqlite.h"
#include "tests/e2e/half_open_place.h"
#include "tests/harness/group.h"

#include <filesystem>
#include <sstream>

#include <unistd.h>

namespace test_findings {

using namespace ballast;
using namespace ballast::test;

namespace {

/// A breaker that opens at the third refusal and stays open.
Scene& failing_scene() {
    return make_scene(breaker_policy({.breaker = "refused = 3, open_for = \"60s\""}) +
                      "\n[governor]\nobserver_fault_ratio = 1.0\n");
}

/// A destination whose breaker has just opened.
Dest open_one(const Scene& scene, const Family& family) {
    const auto peer = dead_peer(scene, family);
    fail_times(scene, peer.dest, 3);
    await_finding(scene, "breaker_opened", peer.dest);
    return peer.dest;
}

void await_saved(const Scene& scene) {
    await_equal([&] { return scene.ballastd.status().at("findings").at("unsaved").get<long>(); },
                0L, "findings that wait to be saved");
}

Json events(const Scene& scene, std::vector<std::string> more = {}) {
    more.insert(more.begin(), "events");
    return scene.ballastd.json(more).at("findings");
}

void survive_a_kill(const Family& family) {
    auto& scene = failing_scene();
    const Dest first = open_one(scene, family);
    const Dest second = open_one(scene, family);
    await_saved(scene);
    const Json before = events(scene);
    check_equal(before.size(), std::size_t{2}, "findings");
    check_equal(before.at(0).at("destination").get<std::string>(), first.text(), "the first");
    check_equal(before.at(1).at("destination").get<std::string>(), second.text(), "the second");
    check(before.at(0).at("acted").get<bool>(), "it says that the breaker refuses");

    scene.ballastd.crash();
    scene.ballastd.start();
    check(events(scene) == before, "the same is told after the kill: " + events(scene).dump());
    const Dest third = open_one(scene, family);
    const Json after = events(scene);
    check_equal(after.size(), std::size_t{3}, "findings after the kill");
    check(after.at(0) == before.at(0) && after.at(1) == before.at(1), "the old ones are the same");
    check(after.at(2).at("id").get<long>() > before.at(1).at("id").get<long>(), "ids go on");
    const Json only = events(scene, {third.text(), "--since", before.at(1).at("id").dump()});
    check(only == Json::array({after.at(2)}), "of the third, since the second: " + only.dump());
    const auto text = scene.ballastd.cli({"events", second.text(), "--since", "1h"});
    check(text.out.find("breaker_opened") != std::string::npos &&
              text.out.find("1 finding\n") != std::string::npos,
          "for people: " + text.out);
}

/// An orderly end saves what a second had not come for yet.
void survive_a_stop(const Family& family) {
    auto& scene = failing_scene();
    open_one(scene, family);
    const Json before = events(scene);
    scene.ballastd.stop();
    scene.ballastd.start();
    check(events(scene) == before, "the same is told after a stop");
}

std::vector<Json> documents(const std::string& file) {
    std::vector<Json> all;
    std::istringstream text(read_file(file));
    for (std::string line; std::getline(text, line);)
        if (auto parsed = Json::parse(line, nullptr, false); parsed.is_object())
            all.push_back(std::move(parsed));
    return all;
}

/// One that follows sees each once, though the daemon goes and comes.
void are_followed_over_a_restart(const Family& family) {
    auto& scene = failing_scene();
    const std::string file = make_temp_dir() + "/followed";
    auto& follower = make<Process>();
    follower.start({.argv = {staged_binary("ballast"), "events", "--follow", "--json",
                             "--runtime-dir", scene.ballastd.runtime_dir()},
                    .output = file});
    open_one(scene, family);
    await_equal([&] { return documents(file).size(); }, std::size_t{1}, "the first");
    scene.ballastd.crash();
    await([&] { return read_file(file).find("is not running") != std::string::npos; },
          "it to be missed");
    scene.ballastd.start();
    const Dest second = open_one(scene, family);
    await_equal([&] { return documents(file).size(); }, std::size_t{2}, "the second");
    check_equal(documents(file).back().at("destination").get<std::string>(), second.text(),
                "the second");
    check(follower.running(), "it goes on");
}

void a_locked_store_stops_nothing(const Family& family) {
    auto& scene = failing_scene();
    const auto file = std::filesystem::path(scene.ballastd.state_dir()) / "ballast.db";
    const auto other = Database::open(file);
    check(other && other->run("BEGIN IMMEDIATE"), "the file is locked");
    const Dest dest = open_one(scene, family);
    const auto failed = [&] {
        return scene.ballastd.status().at("finding_losses").at("saves_failed").get<long>();
    };
    await([&] { return failed() > 0; }, "a save to fail");
    check_errno(error_of(scene, dest), EHOSTUNREACH, "the breaker refuses meanwhile");
    check_equal(events(scene).size(), std::size_t{1}, "findings that are told meanwhile");
    check(scene.ballastd.cli({"status"}).out.find("saves failed") != std::string::npos,
          "status says so");
    check(other->run("COMMIT").has_value(), "the lock is gone");
    await_saved(scene);
    scene.ballastd.crash();
    scene.ballastd.start();
    check_equal(events(scene).size(), std::size_t{1}, "findings after a kill");
    check_equal(log_lines(scene, {"findings are not saved"}).size(), std::size_t{1},
                "lines about it");
}

/// The connection's owner is known although the reset freed the process that waited in it.
void name_the_owner(const Family& family) {
    auto& place = make_place(family, flow_policy("mode = \"enforce\", action = \"reset\""));
    auto& idle = through(place.wall, place.listener);
    auto& busy = through(place.wall, place.listener);
    let_idle(idle.client, {&busy});
    say(idle.client);
    await_kind(place, "silently_dropped", idle.client, {&busy});
    const Json found = events(place.scene, {"--reason", "half_open_flow"}).at(0);
    check_equal(found.at("kind").get<std::string>(), std::string("silently_dropped"), "kind");
    check_equal(found.at("tcp_state").get<std::string>(), std::string("ESTAB"), "state");
    check(found.at("acted").get<bool>(), "it was reset: " + found.dump());
    check(found.at("netns").is_number(), "namespace");
    check_equal(found.at("owner").at("pid").get<long>(), long{::getpid()}, "owner");
    check_equal(found.at("owner").at("comm").get<std::string>(), std::string("e2e"), "its name");
}

} // namespace

TEST_GROUP(findings) {
    return Suite()
        .each(families, "findings survive kill -9", survive_a_kill)
        .host_each(families, "findings survive a stop", survive_a_stop)
        .host_each(families, "findings are followed over a restart", are_followed_over_a_restart)
        .host_each(families, "a locked store stops nothing", a_locked_store_stops_nothing)
        .each(walled_families, "findings name the owner", name_the_owner)
        .run_at_once("findings", 4);
}

} // namespace test_findings

// SPDX-License-Identifier: Apache-2.0
// Promise: what refuses connections, and what no longer does, is the first thing that the screens
// show, within a second.
#include "tests/e2e/failing.h"
#include "tests/harness/group.h"
#include "tests/harness/http.h"
#include "tests/harness/wait.h"

namespace test_screens {

using namespace ballast;
using namespace ballast::test;

namespace {

/// The line of `ballast status` about `what`.
std::string status_line(const Scene& scene, const std::string& what) {
    const auto shown = scene.ballastd.cli({"status"});
    const auto at = shown.out.find(what);
    check(at != std::string::npos, fmt::format("status has a line {}: {}", what, shown.out));
    const auto begin = shown.out.rfind('\n', at) + 1;
    return shown.out.substr(begin, shown.out.find('\n', at) - begin);
}

void an_open_breaker(const Family& family) {
    auto& scene = make_scene(breaker_policy({.breaker = "refused = 3, open_for = \"60s\""}) +
                             "\n[governor]\nobserver_fault_ratio = 1.0\n");
    open_connections(scene.link.client, serve(scene, family).dest(), 1);
    const auto peer = dead_peer(scene, family);
    fail_times(scene, peer.dest, 3);
    check_errno(error_of(scene, peer.dest), EHOSTUNREACH, "the breaker refuses");
    const Json worst = scene.ballastd.json({"health"}).at("destinations").at(0);
    check_equal(worst.at("endpoint").get<std::string>(), peer.dest.text(), "the worst destination");
    check_equal(worst.at("state").get<std::string>(), std::string("breaker open"), "its state");
    check_equal(worst.at("reason").get<std::string>(), std::string("breaker_refusing"), "why");
    const auto line = status_line(scene, "breakers");
    check(line.starts_with("BAD"), line);
    scene.ballastd.json({"breaker", "close", peer.dest.text(), "--for", "60s"});
    check(status_line(scene, "breakers").starts_with("ok"), "closed by hand, it refuses nothing");
}

void detach(const Scene& scene, const std::string& program) {
    run_ok({.argv = {"bpftool", "link", "detach", "pinned",
                     scene.ballastd.bpffs() + "/link_" + program}});
}

void a_detached_program(const Family& family) {
    auto& scene = make_scene(policy({{.limit = 1, .mode = "enforce", .on_limit = "unreachable"}}));
    const auto dest = serve(scene, family).dest();
    check(status_line(scene, "hooks").starts_with("ok"), "attached at first");
    detach(scene, family.domain == AF_INET ? "connect4" : "connect6");
    await([&] { return status_line(scene, "hooks").starts_with("warn"); }, "it to be noticed");
    check_equal(log_lines(scene, {"finding reason=hook_reattached"}).size(), std::size_t{1},
                "findings");
    open_connections(scene.link.client, dest, 1);
    check_errno(attempt(scene.link.client, dest).error, EHOSTUNREACH, "the limit holds");
    scene.ballastd.crash();
    check_errno(attempt(scene.link.client, dest).error, EHOSTUNREACH, "with the daemon dead too");
    scene.ballastd.start();
    check(status_line(scene, "hooks").starts_with("ok"), "a new daemon takes it over");
}

/// A caller with read access only cannot have the host's sockets walked, nor acted on.
void a_question_makes_no_sweep() {
    auto& scene = make_scene(policy({{.limit = 100}}, "sweep_interval = \"60s\""));
    const auto dest = serve(scene, families.front()).dest();
    const auto sweeps = [&] { return scene.ballastd.status().at("sweep").at("sweeps"); };
    const Json before = sweeps();
    open_connections(scene.link.client, dest, 1);
    for (int i = 0; i < 5; ++i)
        check_equal(
            scene.ballastd.get("/v1/flows?dest=" + url_encoded(dest.text())).at("total").get<int>(),
            0, "flows seen so far");
    check(sweeps() == before, "no sweep was made");
    const Json seen = scene.ballastd.json({"flows", "dest=" + dest.text()});
    check_equal(seen.at("total").get<int>(), 1, "flows that root's `ballast flows` sees");
    check(sweeps() == before.get<int>() + 1, "by one sweep");
}

} // namespace

TEST_GROUP(screens) {
    return Suite()
        .each(families, "an open breaker is the worst there is", an_open_breaker)
        .each(families, "a program detached by somebody is attached again", a_detached_program)
        .add("a question makes no sweep", a_question_makes_no_sweep)
        .run_at_once("screens", 4);
}

} // namespace test_screens

// SPDX-License-Identifier: Apache-2.0
// Promise: connections of a service get the keepalive that the policy says, new ones and older
// ones, for programs that never asked; nothing a program chose is ever loosened, and all of it is
// given back when the policy no longer says so.
#include "tests/e2e/kept_alive.h"
#include "tests/e2e/kernel_objects.h"
#include "tests/harness/group.h"

#include <filesystem>
#include <set>

#include <netinet/tcp.h>

namespace test_keepalive {

using namespace ballast;
using namespace ballast::test;

namespace {

const std::string enforced = "mode = \"enforce\"";
const std::string observed = "mode = \"observe\"";

Scene* shared = nullptr;

/// The daemon that most tests share.
Scene& scene_with(const std::string& policy_text) {
    shared->ballastd.enforce(policy_text);
    return *shared;
}

/// A connection of a program that has asked for nothing.
Fd connection(const Scene& scene, const Family& family) {
    auto made = attempt(scene.link.client, serve(scene, family).dest());
    check_errno(made.error, 0, "connect()");
    return std::move(made.socket);
}

/// The keepalive that sockets have before anything is set.
KeptAlive untouched(const Scene& scene, const Family& family) {
    return keepalive_of(tcp_socket(scene.link.client, family.domain));
}

void of_new_connections(const Family& family) {
    auto& scene = scene_with(keepalive_policy(enforced));
    const auto socket = connection(scene, family);
    const auto got = keepalive_of(socket);
    check_ballasts(got, 60, "auto, with nothing known");
    check_equal(got.interval_s, 10, "interval");
    check_equal(got.count, 9, "count");
}

void of_the_policys_values(const Family& family) {
    auto& scene = scene_with(
        keepalive_policy(enforced + "\nidle = \"100s\"\ninterval = \"7s\"\ncount = 5", ""));
    const auto got = keepalive_of(connection(scene, family));
    check_ballasts(got, 100, "fixed");
    check_equal(got.interval_s, 7, "interval");
    check_equal(got.count, 5, "count");
}

void changes_nothing_unless_enforced(const Family& family) {
    auto& scene = scene_with(keepalive_policy(observed));
    const auto before = untouched(scene, family);
    const auto socket = connection(scene, family);
    scene.ballastd.sweep();
    check_same(keepalive_of(socket), before, "in observe");
    scene.ballastd.enforce(keepalive_policy("mode = \"off\""));
    check_same(keepalive_of(connection(scene, family)), before, "off");
    scene.ballastd.enforce(keepalive_policy(enforced));
    scene.ballastd.json({"disarm"});
    scene.ballastd.sweep();
    check_same(keepalive_of(connection(scene, family)), before, "disarmed");
    check_same(keepalive_of(socket), before, "an older one, disarmed");
    scene.ballastd.json({"arm"});
    check_ballasts(keepalive_of(connection(scene, family)), 60, "armed");
}

void sets_nothing_in_a_dry_run(const Family& family) {
    const std::string dry_run = "[governor]\ndry_run = true\n";
    auto& scene = scene_with(keepalive_policy(enforced) + dry_run);
    const auto before = untouched(scene, family);
    const auto socket = connection(scene, family);
    scene.ballastd.sweep();
    check_same(keepalive_of(socket), before, "in a dry run");
    scene.ballastd.enforce(keepalive_policy(enforced));
    scene.ballastd.sweep();
    check_ballasts(keepalive_of(socket), 60, "when it is over");
    scene.ballastd.enforce(keepalive_policy(enforced) + dry_run);
    scene.ballastd.sweep();
    check_same(keepalive_of(socket), before, "given back in another");
}

void only_tightens(const Family& family) {
    auto& scene = scene_with(keepalive_policy(enforced));
    auto& listener = serve(scene, family);
    const auto socket = tcp_socket(scene.link.client, family.domain);
    const KeptAlive chosen{1, 20, 5, 3, 12'000};
    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, chosen.on);
    set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, chosen.idle_s);
    set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, chosen.interval_s);
    set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, chosen.count);
    set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, chosen.user_timeout_ms);
    check_errno(connect_errno(socket, listener.dest()), 0, "connect()");
    scene.ballastd.sweep();
    check_same(keepalive_of(socket), chosen, "what is tighter stays");
}

void tightens_what_is_looser(const Family& family) {
    auto& scene = scene_with(keepalive_policy(enforced));
    auto& listener = serve(scene, family);
    const auto socket = tcp_socket(scene.link.client, family.domain);
    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 600);
    set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 5);
    check_errno(connect_errno(socket, listener.dest()), 0, "connect()");
    auto got = keepalive_of(socket);
    check_ballasts(got, 60, "a long idle time");
    check_equal(got.interval_s, 5, "the program's interval");
    scene.ballastd.enforce(keepalive_policy(observed));
    got = keepalive_of(socket);
    check_equal(got.idle_s, 600, "the program's idle time is back");
    check_equal(got.on, 1, "and its keepalive on");
    check_equal(got.user_timeout_ms, 0, "without a user timeout");
}

void of_older_connections(const Family& family) {
    auto& scene = scene_with(keepalive_policy(observed));
    const auto socket = connection(scene, family);
    const auto before = keepalive_of(socket);
    scene.ballastd.enforce(keepalive_policy(enforced, "40s"));
    check_ballasts(keepalive_of(socket), 40, "after a policy's change");
    scene.ballastd.enforce(keepalive_policy(enforced, "50s"));
    check_ballasts(keepalive_of(socket), 50, "after another");
    scene.ballastd.enforce(keepalive_policy(enforced, "30s"));
    check_ballasts(keepalive_of(socket), 30, "after one more");
    scene.ballastd.enforce(policy({{.to = {"192.0.2.1"}}}));
    check_same(keepalive_of(socket), before, "with its service gone");
}

void of_connections_older_than_ballast(const Family& family) {
    const auto link = make_link();
    auto& ballastd = make<Ballastd>(keepalive_policy(enforced));
    auto& scene = make<Scene>(link, ballastd);
    const auto socket = connection(scene, family);
    const auto before = keepalive_of(socket);
    ballastd.start();
    check_ballasts(keepalive_of(socket), 60, "once Ballast is there");
    ballastd.json({"unload"});
    check_same(keepalive_of(socket), before, "once it is gone");
}

void later_choices_of_the_program_stand(const Family& family) {
    auto& scene = scene_with(keepalive_policy(enforced));
    const auto socket = connection(scene, family);
    set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 20);
    scene.ballastd.sweep();
    check_equal(keepalive_of(socket).idle_s, 20, "tighter: it stands");
    set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 700);
    scene.ballastd.sweep();
    check(keepalive_of(socket).idle_s <= 60, "looser: it is tightened");
    scene.ballastd.enforce(keepalive_policy(observed));
    check_equal(keepalive_of(socket).idle_s, 700, "and given back");
}

void gives_back_while_disarmed(const Family& family) {
    auto& scene = scene_with(keepalive_policy(enforced));
    const auto socket = connection(scene, family);
    check_ballasts(keepalive_of(socket), 60, "enforced");
    scene.ballastd.json({"disarm"});
    scene.ballastd.sweep();
    check_same(keepalive_of(socket), untouched(scene, family), "disarmed");
    scene.ballastd.json({"arm"});
    scene.ballastd.sweep();
    check_ballasts(keepalive_of(socket), 60, "armed again");
}

/// How the daemon ends before `ballast unload`.
struct End {
    const char* name;
    void (*end)(Ballastd& ballastd);
};

constexpr End ends[] = {
    {"alive", [](Ballastd& /*ballastd*/) {}},
    {"stopped", [](Ballastd& ballastd) { ballastd.stop(); }},
    {"killed", [](Ballastd& ballastd) { ballastd.crash(); }},
};

void unload_gives_back(const End& how) {
    for (const auto& family : families) {
        auto& scene = make_scene(keepalive_policy(enforced));
        const auto before = untouched(scene, family);
        const auto socket = connection(scene, family);
        how.end(scene.ballastd);
        check_ballasts(keepalive_of(socket), 60, "until unload");
        scene.ballastd.json({"unload"});
        check_same(keepalive_of(socket), before, "after unload");
    }
}

void holds_with_the_daemon_dead(const Family& family) {
    auto& scene = make_scene(keepalive_policy(enforced));
    scene.ballastd.crash();
    check_ballasts(keepalive_of(connection(scene, family)), 60, "daemon dead");
    scene.ballastd.start();
    check_ballasts(keepalive_of(connection(scene, family)), 60, "daemon back");
}

void spreads_the_probes(const Family& family) {
    auto& scene = scene_with(keepalive_policy(enforced, "300s"));
    auto& listener = serve(scene, family);
    std::set<int> idle;
    for (const auto& socket : open_connections(scene.link.client, listener.dest(), 100))
        idle.insert(keepalive_of(socket).idle_s);
    check(*idle.begin() >= 240 && *idle.rbegin() <= 300, "within a fifth");
    check(idle.size() >= 25, fmt::format("spread: {} idle times of 100 connections", idle.size()));
}

/// A server's connections are not the service's.
void leaves_accepted_connections_alone(const Family& family) {
    auto& scene = scene_with(keepalive_policy(enforced));
    auto& listener = serve(scene, family);
    const auto client = attempt(scene.link.client, listener.dest());
    const auto server = listener.accept();
    scene.ballastd.sweep();
    check_equal(keepalive_of(server).on, 0, "keepalive of the accepted socket");
}

/// The keepalive of the only connection to a destination, as `ballast flows` shows it.
Json shown(Scene& scene, const Dest& dest) {
    const auto flows = scene.ballastd.json({"flows", "dest=" + dest.text()}).at("flows");
    check_equal(flows.size(), std::size_t{1}, "connections to " + dest.text());
    return flows.front().at("keepalive");
}

void tells_whose_it_is(const Family& family) {
    auto& scene = scene_with(keepalive_policy(enforced));
    auto& listener = serve(scene, family);
    const auto socket = attempt(scene.link.client, listener.dest()).socket;
    auto told = shown(scene, listener.dest());
    const auto got = keepalive_of(socket);
    check_equal(told.at("set_by").get<std::string>(), "ballast", "who");
    check(told.at("on").get<bool>(), "it is on");
    check_equal(told.at("idle_s").get<int>(), got.idle_s, "idle time");
    check_equal(told.at("interval_s").get<int>(), got.interval_s, "interval");
    check_equal(told.at("count").get<int>(), got.count, "count");
    check_equal(got.user_timeout_ms, 0, "user timeout");
    check(told.at("user_timeout_ms").is_null(), "it is the program's, which has none");
    check(scene.ballastd.status().at("keepalive").at("kept_alive").get<int>() > 0, "counted");

    scene.ballastd.enforce(keepalive_policy(observed));
    told = shown(scene, listener.dest());
    check_equal(told.at("set_by").get<std::string>(), "kernel", "who, in observe");
    check(!told.at("on").get<bool>(), "it is off");
    check(told.at("wanted").get<bool>(), "but wanted");
    check(scene.ballastd.status().at("keepalive").at("wanted").get<int>() > 0, "counted");

    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    told = shown(scene, listener.dest());
    check_equal(told.at("set_by").get<std::string>(), "app", "who, once the program asks");
    check_equal(scene.ballastd.status().at("keepalive_losses").at("keepalives_failed").get<int>(),
                0, "failures");
}

bool is_tuning(const Ballastd& ballastd) {
    return std::filesystem::exists(ballastd.bpffs() + "/link_tune");
}

void attached_only_where_enforced() {
    auto& scene = make_scene(keepalive_policy(observed));
    check(!is_tuning(scene.ballastd), "nobody enforces keepalive");
    scene.ballastd.enforce(keepalive_policy(enforced));
    check(is_tuning(scene.ballastd), "one does");
}

} // namespace

TEST_GROUP(keepalive) {
    return Suite()
        .shared([] { shared = &make_scene(keepalive_policy(enforced)); })
        .each(families, "of new connections", of_new_connections)
        .host_each(families, "of the policy's values", of_the_policys_values)
        .host_each(families, "changes nothing unless enforced", changes_nothing_unless_enforced)
        .host_each(families, "sets nothing in a dry run", sets_nothing_in_a_dry_run)
        .host_each(families, "only tightens", only_tightens)
        .host_each(families, "tightens what is looser", tightens_what_is_looser)
        .each(families, "of older connections", of_older_connections)
        .each(families, "of connections older than Ballast", of_connections_older_than_ballast)
        .each(families, "later choices of the program stand", later_choices_of_the_program_stand)
        .each(families, "gives back while disarmed", gives_back_while_disarmed)
        .each(ends, "unload gives back, daemon", unload_gives_back)
        .each(families, "holds with the daemon dead", holds_with_the_daemon_dead)
        .host_each(families, "spreads the probes", spreads_the_probes)
        .host_each(families, "leaves accepted connections alone", leaves_accepted_connections_alone)
        .host_each(families, "tells whose it is", tells_whose_it_is)
        .host_add("attached only where enforced", attached_only_where_enforced)
        .run("keepalive");
}

} // namespace test_keepalive

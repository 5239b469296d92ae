// SPDX-License-Identifier: Apache-2.0
// Promise (docs/ports.md): what may be done for a source that runs out of local ports is done in
// its namespace and nowhere else, helps, and is taken back, whatever becomes of the daemon.
#include <algorithm>
#include <cstring>

#include "tests/e2e/failing.h"
#include "tests/e2e/short_of_ports.h"
#include "tests/harness/group.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/wait.h"

namespace test_port_relief {

using namespace ballast;
using namespace ballast::test;
using std::chrono::milliseconds;

namespace {

const std::string untouched = "32768 32967";
const std::string flipped = "32769 32967";

std::string range_of(Scene& scene) {
    return port_range(scene.link.client);
}

void await_range(Scene& scene, const std::string& wanted) {
    await([&] { return range_of(scene) == wanted; }, "the range " + wanted);
}

/// A scene past its knee: all ports of the first parity are held.
struct Crowded {
    Scene& scene;
    Listener& listener;
    std::vector<Fd>& held;
};

Crowded past_the_knee(const Family& family, const std::string& mode = "enforce") {
    auto& scene = calm_scene();
    auto& listener = serve(scene, family);
    enact(scene, relief_of("test", listener.dest(), "\"flip\"", mode));
    auto& held = open_connections(scene.link.client, listener.dest(), few_ports / 2);
    return {scene, listener, held};
}

void flips_and_back(const Family& family) {
    auto crowded = past_the_knee(family);
    Scene& scene = crowded.scene;
    check(std::ranges::all_of(crowded.held, [](const Fd& fd) { return port_of(fd) % 2 == 0; }),
          "the even ports come first");
    await_range(scene, flipped);
    check_equal(port_range(scene.link.server), std::string("32768 60999"), "that of others");
    await([&] { return !findings_of(scene, "ports_relief ", crowded.listener.dest()).empty(); },
          "the finding");
    const auto reliefs = scene.ballastd.get("/v1/ports").at("reliefs");
    check(reliefs.dump().find(fmt::format("\"netns\":{}", scene.link.client.inode())) !=
              std::string::npos,
          reliefs.dump());
    const auto next = attempt(scene.link.client, crowded.listener.dest());
    check_errno(next.error, 0, "connect()");
    check_equal(port_of(next.socket) % 2, 1, "the parity of its port");
    scene.ballastd.json({"disarm"});
    await_range(scene, untouched);
    await([&] { return !findings_of(scene, "ports_relief_over", crowded.listener.dest()).empty(); },
          "the end");
    scene.ballastd.json({"arm"});
    await_range(scene, flipped);
    const auto policy_text = relief_of("test", crowded.listener.dest(), "\"flip\"");
    enact(scene, policy_text + "[governor]\ndry_run = true\n");
    await_range(scene, untouched);
    await(
        [&] {
            return !log_lines(scene, {"ports_relief_withheld", "why=dry_run"}).empty();
        },
        "what would be done");
    enact(scene, policy_text);
    await_range(scene, flipped);
    scene.ballastd.stop();
    check_equal(range_of(scene), untouched, "after the daemon");
}

void survives_a_crash(const Family& family) {
    auto crowded = past_the_knee(family);
    Scene& scene = crowded.scene;
    await_range(scene, flipped);
    scene.ballastd.crash();
    check_equal(range_of(scene), flipped, "after kill -9");
    scene.ballastd.write_policy(limit_policy(100'000, "observe")); // or it would begin again
    scene.ballastd.start();
    check_equal(range_of(scene), untouched, "with the next daemon");
}

/// A list of before the last boot, where /run is no tmpfs: the kernel has its own values again.
void forgets_another_boot(const Family& family) {
    auto crowded = past_the_knee(family);
    Scene& scene = crowded.scene;
    await_range(scene, flipped);
    scene.ballastd.crash();
    crowded.held.clear();
    const auto file = scene.ballastd.runtime_dir() + "/undo.json";
    auto list = Json::parse(read_file(file));
    list["boot"] = "another";
    write_file(file, list.dump());
    scene.ballastd.start();
    check_equal(range_of(scene), flipped, "what is not of this boot");
    list["schema"] = 2;
    scene.ballastd.stop();
    write_file(file, list.dump());
    scene.ballastd.start();
    const auto lines = log_lines(scene, {"undo.json is of another version of Ballast"});
    check_equal(lines.size(), std::size_t(1), "what is wrong with it");
    check_equal(read_file(file + ".unread"), list.dump(), "it is kept");
}

void unload_restores(const Family& family) {
    auto crowded = past_the_knee(family);
    Scene& scene = crowded.scene;
    await_range(scene, flipped);
    scene.ballastd.crash();
    const auto unloaded = scene.ballastd.json({"unload"});
    check_equal(range_of(scene), untouched, "after unload");
    check_equal(unloaded.at("restored").size(), std::size_t(1), unloaded.dump());
}

/// Who changes the range meanwhile has their way, and no later undo takes it from them.
void leaves_what_others_set(const Family& family) {
    const std::string theirs = "33000 33999";
    auto crowded = past_the_knee(family);
    Scene& scene = crowded.scene;
    await_range(scene, flipped);
    scene.link.client.exec({"sysctl", "-qw", "net.ipv4.ip_local_port_range=" + theirs});
    scene.ballastd.crash();
    scene.ballastd.start();
    check_equal(range_of(scene), theirs, "after a crash");
    scene.ballastd.json({"unload"});
    check_equal(range_of(scene), theirs, "after unload");
}

void only_reports_where_it_observes(const Family& family) {
    auto crowded = past_the_knee(family, "observe");
    Scene& scene = crowded.scene;
    const auto dest = crowded.listener.dest();
    await([&] { return !findings_of(scene, "ports_relief_withheld", dest).empty(); },
          "the finding");
    const auto line = findings_of(scene, "ports_relief_withheld", dest).front();
    check(line.find("why=observe") != std::string::npos, line);
    check_equal(range_of(scene), untouched, "the range");
    check(findings_of(scene, "ports_relief ", dest).empty(), "nothing is done");
}

/// Only the tuples of services that name it bring it about.
void leaves_calm_services_alone(const Family& family) {
    auto& scene = calm_scene();
    auto& wild = serve(scene, family);
    auto& calm = serve(scene, family);
    enact(scene, relief_of("wild", wild.dest(), "") + relief_of("calm", calm.dest(), "\"flip\""));
    auto& held = open_connections(scene.link.client, wild.dest(), few_ports / 2);
    await([&] { return !findings_of(scene, "ports_slow", wild.dest()).empty(); }, "its knee");
    check_equal(range_of(scene), untouched, "the wild one's namespace");
    auto& more = open_connections(scene.link.client, calm.dest(), few_ports / 2);
    await_range(scene, flipped);
    await([&] { return !findings_of(scene, "ports_relief ", calm.dest()).empty(); }, "the finding");
    const auto line = findings_of(scene, "ports_relief ", calm.dest()).front();
    check(line.find("service=calm") != std::string::npos, line);
    check(findings_of(scene, "ports_relief ", wild.dest()).empty(), "nothing for the wild one");
    held.clear();
    more.clear();
}

/// Twice as many as there are ports: each is past the wall of the time before.
void reuses_time_wait(const Family& family) {
    auto& scene = calm_scene();
    const std::string rungs = "\"tw_reuse\"";
    const auto& client = scene.link.client;
    auto& listener = serve(scene, family);
    enact(scene, relief_of("test", listener.dest(), rungs));
    answer(listener);
    auto& churning = churn(client, {listener.dest()}, 20);
    await([&] { return !findings_of(scene, "ports_relief ", listener.dest()).empty(); },
          "the relief");
    note(findings_of(scene, "ports_relief ", listener.dest()).front());
    check_equal(client.exec({"sysctl", "-n", "net.ipv4.tcp_tw_reuse"}), std::string("1\n"),
                "tcp_tw_reuse");
    check_equal(port_range(client), untouched, "the range");
    // 20 a second use up 200 ports within 10 s: 15 s are past the wall
    const auto ended = churning.wait(milliseconds(15'000));
    if (ended)
        fail_test(fmt::format("a connect() failed: {}; tcp_tw_reuse is {}; {}",
                              std::strerror(*ended),
                              client.exec({"sysctl", "-n", "net.ipv4.tcp_tw_reuse"}),
                              fmt::join(findings_of(scene, "ports_", listener.dest()), "; ")));
    churning.kill();
    scene.ballastd.crash();
    scene.ballastd.write_policy(limit_policy(100'000, "observe")); // or it would begin again
    scene.ballastd.start();
    await(
        [&] {
            return client.exec({"sysctl", "-n", "net.ipv4.tcp_tw_reuse"}) == "2\n";
        },
        "the kernel's own");
}

std::string reuse_delay(const Netns& client) {
    return client.exec({"sysctl", "-n", "net.ipv4.tcp_tw_reuse_delay"});
}

/// Half of the ports and more each second, where the kernel lets each of them wait for one. However
/// slow the machine, it can open as many as that.
void reuses_time_wait_sooner(const Family& family) {
    auto& scene = crowded_scene(limit_policy(100'000, "observe"), 60);
    const auto& client = scene.link.client;
    if (reuse_delay(client) != "1000\n")
        skip_kernel_lacks("net.ipv4.tcp_tw_reuse_delay");
    auto& listener = serve(scene, family);
    enact(scene, relief_of("test", listener.dest(), "\"tw_reuse\""));
    answer(listener);
    std::vector<Process*> clients;
    for (int i = 0; i < 3; ++i)
        clients.push_back(&churn(client, {listener.dest()}, 30, AtTheWall::goes_on));
    await([&] { return reuse_delay(client) == "100\n"; }, "another delay");
    check_equal(client.exec({"sysctl", "-n", "net.ipv4.tcp_tw_reuse"}), std::string("1\n"),
                "tcp_tw_reuse");
    for (Process* one : clients)
        one->kill();
    scene.ballastd.stop();
    check_equal(reuse_delay(client), std::string("1000\n"), "after the daemon");
    check_equal(client.exec({"sysctl", "-n", "net.ipv4.tcp_tw_reuse"}), std::string("2\n"),
                "tcp_tw_reuse after it");
}

constexpr auto gateway_that_remembers = R"(table inet gateway {
    set known {
        type inet_service
        flags dynamic, timeout
        timeout 60s
        size 65535
    }
    chain in {
        type filter hook input priority 0
        tcp flags & (syn | ack) == syn tcp sport @known drop
        tcp flags & fin == fin add @known { tcp sport }
    }
}
)";

/// A middlebox that still has the connection of before drops the SYN of the next.
void takes_reuse_back_where_syns_are_lost(const Family& family) {
    auto& scene = calm_scene();
    const std::string rungs = "\"tw_reuse\"";
    const auto& client = scene.link.client;
    auto& listener = serve(scene, family);
    enact(scene, relief_of("test", listener.dest(), rungs));
    answer(listener);
    const auto rules = make_temp_dir() + "/rules.nft";
    write_file(rules, gateway_that_remembers);
    scene.link.server.exec({"nft", "-f", rules});
    std::vector<Process*> clients;
    for (int i = 0; i < 10; ++i) // each may wait in one for long
        clients.push_back(&churn(client, {listener.dest()}, 2));
    await([&] { return !findings_of(scene, "ports_relief ", listener.dest()).empty(); },
          "the relief");
    await(
        [&] {
            const auto lines =
                log_lines(scene, {"finding reason=ports_relief_over", "why=syns_lost",
                                  fmt::format("netns={}", client.inode())});
            return !lines.empty();
        },
        "its end");
    check_equal(client.exec({"sysctl", "-n", "net.ipv4.tcp_tw_reuse"}), std::string("2\n"),
                "tcp_tw_reuse");
    for (Process* one : clients)
        one->kill();
}

/// A firewall on the way that lets only some ports or addresses pass: cloud ACLs have the return
/// traffic of 32768 and above.
struct Objection {
    const char* name;
    const char* rung;
    const char* rule;
    int held; ///< of the ports, in percent
};

constexpr Objection objections[] = {
    {"own_range", "own_range", "tcp sport < 32768 drop", 50},
    {"widen", "widen", "tcp sport < 32768 drop", 95},
    {"spread", "spread", "ip saddr 10.77.0.3 tcp flags syn drop", 50},
};

void takes_back_what_is_objected_to(const Objection& objection) {
    auto& scene = calm_scene();
    const auto& client = scene.link.client;
    client.ip({"addr add 10.77.0.3/24 dev c0"});
    auto& listener = serve(scene, families.front());
    enact(scene, relief_of("test", listener.dest(), fmt::format("\"{}\"", objection.rung)));
    scene.link.server.exec({"nft", "add table inet acl; add chain inet acl in { type filter hook "
                                   "input priority 0 ; }; add rule inet acl in " +
                                       std::string(objection.rule)});
    open_connections(client, listener.dest(),
                     static_cast<unsigned>(few_ports * objection.held / 100));
    await([&] { return !findings_of(scene, "ports_relief ", listener.dest()).empty(); },
          "the relief");
    std::vector<Process*> clients;
    for (int i = 0; i < 6; ++i) // each may wait in one for long
        clients.push_back(&churn(client, {listener.dest()}, 2));
    await(
        [&] {
            return !log_lines(scene, {"finding reason=ports_relief_over",
                                      fmt::format("rung={} ", objection.rung), "why=syns_lost",
                                      fmt::format("netns={}", client.inode())})
                        .empty();
        },
        "its end");
    for (Process* one : clients)
        one->kill();
    open_connections(client, listener.dest(), 2);
}

/// Held connections past the wall: only more ports help.
void widens_the_range(const Family& family) {
    auto& scene = calm_scene();
    const std::string rungs = "\"tw_reuse\", \"widen\"";
    const auto& client = scene.link.client;
    make<Listener>(client, Dest{family.client, 32'500}); // a service of its own
    auto& listener = serve(scene, family);
    enact(scene, relief_of("test", listener.dest(), rungs));
    auto& held = open_connections(client, listener.dest(), few_ports * 95 / 100);
    await([&] { return port_range(client) != untouched; }, "another range");
    // neither onto that, nor onto a port that the policy has somebody serve
    const int asked = listener.dest().port;
    const int high = asked > first_port + few_ports ? asked - 1 : 65'535;
    check_equal(port_range(client), fmt::format("32501 {}", high), "the range");
    for (int i = 0; i < few_ports / 2; ++i)
        held.push_back(std::move(attempt(client, listener.dest()).socket));
    check(std::ranges::all_of(held, [](const Fd& fd) { return static_cast<bool>(fd); }),
          "every connect() succeeds");
    scene.ballastd.crash();
    check_equal(port_range(client), fmt::format("32501 {}", high), "after kill -9");
    scene.ballastd.write_policy(limit_policy(100'000, "observe")); // or it would begin again
    scene.ballastd.start();
    check_equal(port_range(client), untouched, "with the next daemon");
}

} // namespace

TEST_GROUP(port_relief) {
    return Suite()
        .each(families, "flips and back", flips_and_back)
        .each(families, "survives a crash", survives_a_crash)
        .host_each(families, "forgets another boot", forgets_another_boot)
        .each(families, "unload restores", unload_restores)
        .each(families, "leaves what others set", leaves_what_others_set)
        .host_each(families, "only reports where it observes", only_reports_where_it_observes)
        .host_each(families, "leaves calm services alone", leaves_calm_services_alone)
        .each(families, "reuses TIME_WAIT", reuses_time_wait)
        .host_each(families, "reuses TIME_WAIT sooner", reuses_time_wait_sooner)
        .host_each(families, "takes reuse back where SYNs are lost",
                   takes_reuse_back_where_syns_are_lost)
        .host_each(objections, "takes back what is objected to", takes_back_what_is_objected_to)
        .each(families, "widens the range", widens_the_range)
        .run_at_once("port_relief", 4);
}

} // namespace test_port_relief

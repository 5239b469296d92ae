// SPDX-License-Identifier: Apache-2.0
// Promise (docs/ports.md): what may be done for a source that runs out of local ports is done in
// its namespace and nowhere else, helps, and is taken back, whatever becomes of the daemon.
#include <algorithm>
#include <map>

#include <arpa/inet.h>

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

constexpr int ports = 200;
const std::string untouched = "32768 32967";
const std::string flipped = "32769 32967";

/// One service, of a destination of the test's own: each daemon here sees the namespaces of all.
std::string relief_of(const std::string& name, const Dest& dest, const std::string& rungs,
                      const std::string& mode = "enforce") {
    return fmt::format("[[service]]\nname = \"{}\"\nto = [\"{}\"]\n"
                       "[service.ports]\nmode = \"{}\"\nrelief = [{}]\n"
                       "source_pool = [\"10.77.0.3\", \"fd77::3\", \"fd77::1\"]\n",
                       name, dest.text(), mode, rungs);
}

void enact(Scene& scene, const std::string& policy_text) {
    scene.ballastd.write_policy(policy_text);
    scene.ballastd.json({"reload"});
}

Scene& calm_scene() {
    return crowded_scene(limit_policy(100'000, "observe"), ports);
}

int port_of(const Fd& socket) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    need(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0,
         "getsockname");
    return ntohs(
        reinterpret_cast<const sockaddr_in*>(&name)->sin_port); // at the same place in both
}

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
    auto& held = open_connections(scene.link.client, listener.dest(), ports / 2);
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
    auto& held = open_connections(scene.link.client, wild.dest(), ports / 2);
    await([&] { return !findings_of(scene, "ports_slow", wild.dest()).empty(); }, "its knee");
    check_equal(range_of(scene), untouched, "the wild one's namespace");
    auto& more = open_connections(scene.link.client, calm.dest(), ports / 2);
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
    check(!ended.has_value(), "no connect() fails");
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

/// All ports within less than two seconds, the kernel's one of which each of them waits.
void reuses_time_wait_sooner(const Family& family) {
    auto& scene = calm_scene();
    const auto& client = scene.link.client;
    if (reuse_delay(client) != "1000\n")
        skip_kernel_lacks("net.ipv4.tcp_tw_reuse_delay");
    auto& listener = serve(scene, family);
    enact(scene, relief_of("test", listener.dest(), "\"tw_reuse\""));
    answer(listener);
    std::vector<Process*> clients;
    for (int i = 0; i < 3; ++i)
        clients.push_back(&churn(client, {listener.dest()}, 45));
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
    open_connections(client, listener.dest(), static_cast<unsigned>(ports * objection.held / 100));
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
    auto& held = open_connections(client, listener.dest(), ports * 95 / 100);
    await([&] { return port_range(client) != untouched; }, "another range");
    // neither onto that, nor onto a port that the policy has somebody serve
    const int asked = listener.dest().port;
    const int high = asked > first_port + ports ? asked - 1 : 65'535;
    check_equal(port_range(client), fmt::format("32501 {}", high), "the range");
    for (int i = 0; i < ports / 2; ++i)
        held.push_back(std::move(attempt(client, listener.dest()).socket));
    check(std::ranges::all_of(held, [](const Fd& fd) { return static_cast<bool>(fd); }),
          "every connect() succeeds");
    scene.ballastd.crash();
    check_equal(port_range(client), fmt::format("32501 {}", high), "after kill -9");
    scene.ballastd.write_policy(limit_policy(100'000, "observe")); // or it would begin again
    scene.ballastd.start();
    check_equal(port_range(client), untouched, "with the next daemon");
}

bool is_in_range(int port) {
    return port >= first_port && port < first_port + ports;
}

/// What `ballast ports` says of a relief for the destination; null: it is not in force.
Json relief_row(Scene& scene, const std::string& relief, const Dest& dest) {
    const auto reliefs = scene.ballastd.get("/v1/ports").at("reliefs");
    for (const auto& row : reliefs)
        if (row.at("relief") == relief && row.at("endpoint") == dest.text())
            return row;
    return nullptr;
}

/// IP_LOCAL_PORT_RANGE, where the kernel has it.
void leaves_a_range_of_its_own_alone(const Netns& client, const Dest& dest, const Family& family) {
    constexpr int ip_local_port_range = 51;                // include/uapi/linux/in.h
    constexpr std::uint32_t first = 33'900, last = 33'909; // beside what is in use
    client.exec(
        {"sysctl", "-qw", fmt::format("net.ipv4.ip_local_port_range={} {}", first_port, 33'999)});
    const Fd socket = tcp_socket(client, family.domain);
    const std::uint32_t range = last << 16 | first;
    if (::setsockopt(socket.get(), IPPROTO_IP, ip_local_port_range, &range, sizeof range) != 0) {
        check_equal(errno, ENOPROTOOPT, "an older kernel");
        return;
    }
    check_errno(connect_errno(socket, dest), 0, "connect()");
    const auto port = static_cast<std::uint32_t>(port_of(socket));
    check(port >= first && port <= last, "a port of the program's range");
}

/// Ports outside the range, for this destination alone, until the daemon is gone.
void gives_ports_of_its_own(const Family& family) {
    auto& scene = calm_scene();
    const auto& client = scene.link.client;
    client.exec({"sysctl", "-qw", "net.ipv4.ip_local_reserved_ports=10000-10999"});
    auto& listener = serve(scene, family);
    auto& other = serve(scene, family);
    enact(scene, relief_of("test", listener.dest(), "\"own_range\""));
    auto& held = open_connections(client, listener.dest(), ports / 2);
    await([&] { return !relief_row(scene, "own_range", listener.dest()).is_null(); }, "the relief");
    // more than the range has
    for (int i = 0; i < 2 * ports; ++i) {
        auto made = attempt(client, listener.dest());
        check_errno(made.error, 0, "connect()");
        const int port = port_of(made.socket);
        check(!is_in_range(port), "the port is outside the range");
        check(port < 10'000 || port > 10'999, "and not reserved");
        int reuse = 1;
        socklen_t size = sizeof reuse;
        need(::getsockopt(made.socket.get(), SOL_SOCKET, SO_REUSEADDR, &reuse, &size) == 0, "get");
        check_equal(reuse, 0, "SO_REUSEADDR of the program's socket");
        held.push_back(std::move(made.socket));
    }
    check(is_in_range(port_of(attempt(client, other.dest()).socket)), "of another destination");
    const auto row = relief_row(scene, "own_range", listener.dest());
    check(row.at("uses").get<int>() >= 2 * ports, row.dump());
    Fd bound = tcp_socket(client, family.domain);
    const SocketAddress name(Dest{family.client, 20'000}, family.domain);
    need(::bind(bound.get(), name.get(), name.length) == 0, "bind");
    check_errno(connect_errno(bound, listener.dest()), 0, "connect() of a bound socket");
    check_equal(port_of(bound), 20'000, "its port");
    leaves_a_range_of_its_own_alone(client, listener.dest(), family);
    scene.ballastd.crash();
    check(port_of(attempt(client, listener.dest()).socket) >= first_port, "after kill -9");
}

/// All but the first, so that no TIME_WAIT keeps their ports.
void let_go(std::vector<Fd>& held, std::size_t all_but) {
    for (const Fd& fd : held) {
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        need(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0, "set");
    }
    held.resize(all_but);
}

std::string address_of(const Fd& socket) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    char text[INET6_ADDRSTRLEN] = "";
    need(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0,
         "getsockname");
    const void* address =
        name.ss_family == AF_INET
            ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(&name)->sin_addr)
            : &reinterpret_cast<const sockaddr_in6*>(&name)->sin6_addr;
    return ::inet_ntop(name.ss_family, address, text, sizeof text);
}

/// As many ports as the range has, for each address.
void spreads_over_sources(const Family& family) {
    auto& scene = calm_scene();
    const auto& client = scene.link.client;
    client.ip({"addr add 10.77.0.3/24 dev c0", "addr add fd77::3/64 nodad dev c0"});
    auto& listener = serve(scene, family);
    enact(scene, relief_of("test", listener.dest(), "\"spread\""));
    auto& held = open_connections(client, listener.dest(), ports / 2);
    await([&] { return !relief_row(scene, "spread", listener.dest()).is_null(); }, "the relief");
    std::map<std::string, int> sources;
    for (int i = 0; i < ports; ++i) {
        auto made = attempt(client, listener.dest());
        check_errno(made.error, 0, "connect()");
        ++sources[address_of(made.socket)];
        held.push_back(std::move(made.socket));
    }
    check_equal(sources.size(), std::size_t(2), "sources");
    for (const auto& [source, connections] : sources)
        check_equal(connections, ports / 2, source);
    const auto row = relief_row(scene, "spread", listener.dest());
    check_equal(row.at("uses").get<int>(), ports, row.dump());
    check_equal(row.at("missed").get<int>(), 0, row.dump());
    scene.ballastd.crash();
    let_go(held, ports / 2);
    for (int i = 0; i < 10; ++i) {
        auto made = attempt(client, listener.dest());
        check_equal(address_of(made.socket), address_of(held.front()), "after kill -9");
        held.push_back(std::move(made.socket));
    }
}

/// Past the wall and on, by the ports of what waits for nothing any more.
void reaps_time_wait(const Family& family) {
    auto& scene = calm_scene();
    const auto& client = scene.link.client;
    auto& listener = serve(scene, family);
    enact(scene, relief_of("test", listener.dest(), "\"reap\""));
    answer(listener);
    auto& held = open_connections(client, listener.dest(), 5);
    auto& churning = churn(client, {listener.dest()}, 12);
    await([&] { return !relief_row(scene, "reap", listener.dest()).is_null(); }, "the relief");
    await([&] { return port_row(scene, listener.dest()).at("ports").at("used") >= ports * 3 / 4; },
          "most of its ports");
    await([&] { return relief_row(scene, "reap", listener.dest()).at("uses") >= ports / 10; },
          "what it ended");
    check(!churning.wait(milliseconds(0)).has_value(), "no connect() fails");
    check_equal(client.exec({"sysctl", "-n", "net.ipv4.tcp_tw_reuse"}), std::string("2\n"),
                "tcp_tw_reuse");
    for (const Fd& fd : held)
        check(::send(fd.get(), "x", 1, MSG_NOSIGNAL) == 1, "what is in use stays");
    scene.ballastd.crash(); // nothing is left of it: the kernel's own ends are waited for again
    check_equal(churning.wait(milliseconds(60'000)).value_or(-1), EADDRNOTAVAIL, "after kill -9");
}

/// Where no port is left, the second connect() and those after it fail without a search.
void refuses_at_once(const Family& family) {
    auto& scene = calm_scene();
    const auto& client = scene.link.client;
    auto& listener = serve(scene, family);
    enact(scene, relief_of("test", listener.dest(), "\"refuse\""));
    auto& held = open_connections(client, listener.dest(), ports);
    await([&] { return !relief_row(scene, "refuse", listener.dest()).is_null(); }, "the relief");
    check_errno(attempt(client, listener.dest()).error, EADDRNOTAVAIL, "that searches");
    for (int i = 0; i < 20; ++i)
        check_errno(attempt(client, listener.dest()).error, EADDRNOTAVAIL, "that does not");
    await([&] { return relief_row(scene, "refuse", listener.dest()).at("uses") >= 10; },
          "refusals");
    let_go(held, ports / 2);
    check(log_lines(scene, {"finding reason=breaker_", listener.dest().text()}).empty(),
          "the destination did not fail");
    await([&] { return attempt(client, listener.dest()).error == 0; }, "a port that is free again");
    scene.ballastd.crash();
    check_errno(attempt(client, listener.dest()).error, 0, "connect() after kill -9");
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
        .each(families, "gives ports of its own", gives_ports_of_its_own)
        .each(families, "spreads over sources", spreads_over_sources)
        .host_each(families, "reaps TIME_WAIT", reaps_time_wait)
        .each(families, "refuses at once", refuses_at_once)
        .run_at_once("port_relief", 4);
}

} // namespace test_port_relief

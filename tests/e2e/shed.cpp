// SPDX-License-Identifier: Apache-2.0
// Promise (docs/listeners.md): SYNs to a listener that cannot keep up are refused as they come in,
// at once and by the rules of the policy, on the devices that it names, and on no other.
#include <array>
#include <cstring>

#include <netinet/tcp.h>
#include <poll.h>

#include "tests/e2e/failing.h"
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/wait.h"

namespace test_shed_listeners {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr int backlog = 9; // there is room for ten: at high all are refused

/// A daemon in the namespace of the servers, whose device is s0.
Scene& shed_scene() {
    const Link link = make_link();
    auto& ballastd = make<Ballastd>(limit_policy(100'000, "observe"),
                                    BallastdOptions{.cgroup = {},
                                                    .bpffs = {},
                                                    .mount_namespace = -1,
                                                    .network_namespace = link.server.fd(),
                                                    .arguments = {}});
    ballastd.start();
    return make<Scene>(link, ballastd);
}

std::string shed_policy(const std::string& rules, const std::string& interfaces = "\"s0\"",
                        const std::string& daemon = "sweep_interval = \"1s\"") {
    return policy({{.mode = "observe"}}, daemon) +
           fmt::format("[listeners]\ninterfaces = [{}]\n", interfaces) + rules;
}

std::string rule_of(const Dest& dest, const std::string& more = "",
                    const std::string& mode = "enforce") {
    return fmt::format("[[listener]]\nname = \"p{}\"\non = [\"{}\"]\nmode = \"{}\"\n{}\n",
                       dest.port, dest.text(), mode, more);
}

/// By depth alone, so that what happens does not depend on time; all are refused from six on.
const std::string by_depth = "target = 0\nlow = 40\nhigh = 60\n";

Listener& listen_in(const Scene& scene, const Family& family) {
    return make<Listener>(scene.link.server, Dest{family.server, 0}, backlog);
}

Json rule_row(Scene& scene, const Dest& dest) {
    const auto shed = scene.ballastd.status().at("shed");
    for (const auto& row : shed.at("rules"))
        if (row.at("name") == fmt::format("p{}", dest.port))
            return row;
    return nullptr;
}

long refused_of(Scene& scene, const Dest& dest) {
    long all = 0;
    const auto row = rule_row(scene, dest);
    for (const auto& [reason, count] : row.at("shed").items())
        all += count.get<long>();
    return all;
}

/// Connections that nobody accepts, until all are refused: some are by chance before. Those that
/// were made.
std::vector<Fd>& fill(Scene& scene, const Dest& dest) {
    auto& made = make<std::vector<Fd>>();
    for (int refused = 0; refused < 20;) {
        auto one = attempt(scene.link.client, dest);
        check(one.error == 0 || one.error == ECONNREFUSED, std::strerror(one.error));
        refused = one.error == 0 ? 0 : refused + 1;
        if (one.error == 0)
            made.push_back(std::move(one.socket));
        check(made.size() <= backlog, "some are refused");
    }
    return made;
}

/// Whose SYN is dropped waits for a second at least; `attempt` waits for its end.
void refuses_at_once(const Family& family) {
    auto& scene = shed_scene();
    auto& listener = listen_in(scene, family);
    auto& other = listen_in(scene, family);
    enact(scene, shed_policy(rule_of(listener.dest(), by_depth)));
    auto& held = fill(scene, listener.dest());
    check(held.size() >= 4, fmt::format("{} got in", held.size()));
    const auto began = Clock::now();
    for (int i = 0; i < 20; ++i)
        check_errno(attempt(scene.link.client, listener.dest()).error, ECONNREFUSED, "refused");
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began);
    note(fmt::format("{} us a refusal", took.count() / 20));
    check_errno(attempt(scene.link.client, other.dest()).error, 0, "another listener");
    await([&] { return refused_of(scene, listener.dest()) >= 20; }, "the count");
    const auto row = rule_row(scene, listener.dest());
    check_equal(row.at("unanswered").get<int>(), 0, row.dump());
    check_equal(row.at("withheld").get<int>(), 0, row.dump());
    await(
        [&] {
            return !log_lines(scene, {"reason=listener_shedding ", listener.dest().text()}).empty();
        },
        "the finding");
    while (!held.empty()) { // once somebody accepts, clients are served again
        (void)listener.accept();
        held.pop_back();
    }
    check_errno(attempt(scene.link.client, listener.dest()).error, 0, "with room");
}

/// The RST acknowledges what came with the SYN, so that it is taken for its answer.
void refuses_data_in_the_syn(const Family& family) {
    auto& scene = shed_scene();
    for (const Netns* one : {&scene.link.client, &scene.link.server})
        one->sysctl("net.ipv4.tcp_fastopen", 0x7);
    scene.link.client.sysctl("net.ipv4.tcp_fastopen", 0x5); // without a cookie
    auto& listener = listen_in(scene, family);
    const int queue = 100;
    need(::setsockopt(listener.socket().get(), IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof queue) ==
             0,
         "TCP_FASTOPEN");
    enact(scene, shed_policy(rule_of(listener.dest(), by_depth)));
    fill(scene, listener.dest());
    const Fd client = tcp_socket(scene.link.client, family.domain);
    const SocketAddress to(listener.dest(), family.domain);
    const std::string text(300, 'x');
    const auto sent =
        ::sendto(client.get(), text.data(), text.size(), MSG_FASTOPEN, to.get(), to.length);
    char byte = 0;
    int error = sent < 0 ? errno : 0;
    if (error == 0 && wait_fd(client.get(), POLLIN, Clock::now() + patience()))
        error = ::recv(client.get(), &byte, 1, 0) < 0 ? errno : 0;
    check_errno(error, ECONNREFUSED, "what it sees");
}

void only_reports_where_it_observes(const Family& family) {
    auto& scene = shed_scene();
    auto& listener = listen_in(scene, family);
    enact(scene, shed_policy(rule_of(listener.dest(), by_depth, "observe")));
    open_connections(scene.link.client, listener.dest(), backlog + 1);
    await([&] { return rule_row(scene, listener.dest()).at("withheld").get<int>() > 0; },
          "what would be refused");
    await(
        [&] {
            return !log_lines(scene, {"reason=listener_would_shed ", listener.dest().text()})
                        .empty();
        },
        "the finding");
    enact(scene, shed_policy(rule_of(listener.dest(), by_depth)));
    check_errno(attempt(scene.link.client, listener.dest()).error, ECONNREFUSED, "enforced");
    scene.ballastd.json({"disarm"});
    const Fd client = tcp_socket(scene.link.client, family.domain, SOCK_NONBLOCK);
    check_errno(connect_errno(client, listener.dest()), EINPROGRESS, "disarmed: the kernel's turn");
    const auto before = rule_row(scene, listener.dest()).at("withheld").get<int>();
    check(before > 0, "it is counted");
    scene.ballastd.json({"arm"});
    check_errno(attempt(scene.link.client, listener.dest()).error, ECONNREFUSED, "armed");
}

/// What is kept for them, others do not get.
void spares_the_prefixes_of_its_rule(const Family& family) {
    auto& scene = shed_scene();
    const bool is_v4 = family.domain == AF_INET;
    const std::string spared = is_v4 ? "10.77.0.5" : "fd77::5";
    scene.link.client.ip({is_v4 ? "addr add 10.77.0.5/24 dev c0"
                                : "addr add fd77::5/64 dev c0 nodad preferred_lft 0"});
    auto& listener = listen_in(scene, family);
    enact(scene, shed_policy(rule_of(
                     listener.dest(),
                     by_depth + fmt::format("spare = [\"{}\"]\nspare_percent = 40\n", spared))));
    auto& held = fill(scene, listener.dest());
    check(held.size() <= 4, fmt::format("{} others got in", held.size()));
    for (int i = 0; i < 3; ++i) {
        Fd client = tcp_socket(scene.link.client, family.domain);
        const SocketAddress from(Dest{spared, 0}, family.domain);
        need(::bind(client.get(), from.get(), from.length) == 0, "bind");
        check_errno(connect_errno(client, listener.dest()), 0, "a health check");
        held.push_back(std::move(client));
    }
    await([&] { return rule_row(scene, listener.dest()).at("spared").get<int>() >= 1; },
          "the count");
}

void keeps_to_a_rate(const Family& family) {
    auto& scene = shed_scene();
    auto& listener = make<Listener>(scene.link.server, Dest{family.server, 0});
    enact(scene, shed_policy(rule_of(listener.dest(), "target = 0\nmax_rate = 1\nburst = 5\n")));
    std::vector<Fd> held;
    int refused = 0;
    for (int i = 0; i < 40; ++i) {
        auto one = attempt(scene.link.client, listener.dest());
        refused += one.error == ECONNREFUSED ? 1 : 0;
        held.push_back(std::move(one.socket));
    }
    check(refused >= 25, fmt::format("{} of 40 were refused", refused));
    const auto row = rule_row(scene, listener.dest());
    check_equal(row.at("shed").at("rate").get<int>(), refused, row.dump());
}

/// It is stuck, and its siblings are not: nobody hangs at it.
void refuses_for_one_that_is_stuck(const Family& family) {
    auto& scene = shed_scene();
    std::vector<Fd> group;
    Dest dest{family.server, 0};
    for (int i = 0; i < 4; ++i) {
        group.push_back(tcp_socket(scene.link.server, family.domain, SOCK_NONBLOCK));
        const int yes = 1;
        need(::setsockopt(group.back().get(), SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) == 0,
             "set");
        const SocketAddress name(dest, family.domain);
        need(::bind(group.back().get(), name.get(), name.length) == 0, "bind");
        if (i == 0) {
            sockaddr_storage bound{};
            socklen_t size = sizeof bound;
            need(::getsockname(group.back().get(), reinterpret_cast<sockaddr*>(&bound), &size) == 0,
                 "name");
            dest.port = ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
        }
        need(::listen(group.back().get(), backlog) == 0, "listen");
    }
    enact(scene, shed_policy(rule_of(dest, by_depth)));
    int refused = 0, served = 0;
    std::vector<Fd> open;
    for (int i = 0; i < 200; ++i) {
        auto one = attempt(scene.link.client, dest);
        check(one.error == 0 || one.error == ECONNREFUSED, std::strerror(one.error));
        refused += one.error != 0 ? 1 : 0;
        served += one.error == 0 ? 1 : 0;
        open.push_back(std::move(one.socket));
        for (std::size_t member = 1; member < group.size(); ++member) // all but the first
            while (Fd taken{::accept4(group.at(member).get(), nullptr, nullptr, SOCK_CLOEXEC)})
                open.push_back(std::move(taken));
    }
    check(refused > 0 && served >= 100, fmt::format("{} refused, {} served", refused, served));
}

bool is_attached(Scene& scene, const std::string& device) {
    const auto shed = scene.ballastd.status().at("shed");
    for (const auto& row : shed.at("devices"))
        if (row.at("name") == device)
            return row.at("attached").get<bool>();
    return false;
}

/// Those that come later, too, and those that go.
void follows_devices() {
    auto& scene = shed_scene();
    const auto& server = scene.link.server;
    auto& listener = listen_in(scene, families.front());
    enact(scene, shed_policy(rule_of(listener.dest(), by_depth), "\"tap*\", \"lo\""));
    check(is_attached(scene, "lo"), "a device that was there");
    check(!is_attached(scene, "s0"), "one that nobody named");
    open_connections(scene.link.client, listener.dest(), backlog);
    check(refused_of(scene, listener.dest()) == 0, "another device's SYNs are not looked at");
    check_errno(attempt(server, listener.dest()).error, ECONNREFUSED, "by the loopback");
    server.ip({"link add tap7 type veth peer name other8", "link set tap7 up"});
    await([&] { return is_attached(scene, "tap7"); }, "the new device");
    const auto devices = [&] { return scene.ballastd.status().at("shed").at("devices").size(); };
    server.ip({"link add br0 type bridge", "link set tap7 master br0"});
    await([&] { return devices() == 1; }, "a bridge's port is left to the bridge");
    server.ip({"link set tap7 nomaster"});
    await([&] { return is_attached(scene, "tap7"); }, "its return");
    server.ip({"link del tap7"});
    await([&] { return devices() == 1; }, "its end");
}

/// Others' filters go on, and a program that somebody detached comes back.
void lives_beside_others(const Family& family) {
    auto& scene = shed_scene();
    const auto& server = scene.link.server;
    server.exec({"tc", "qdisc", "add", "dev", "s0", "clsact"});
    server.exec({"tc", "filter", "add", "dev", "s0", "ingress", "prio", "7", "protocol", "all",
                 "u32", "match", "ip", "protocol", "17", "0xff", "flowid", "1:1"});
    auto& listener = listen_in(scene, family);
    enact(scene, shed_policy(rule_of(listener.dest(), by_depth)));
    const auto device = scene.ballastd.status().at("shed").at("devices").front();
    note(device.dump());
    fill(scene, listener.dest());
    std::string chain; // one filter of u32 is two of them
    for (const auto& one : device.at("chain"))
        chain += one.get<std::string>() + " ";
    check(chain.find(device.at("kind") == "tcx" ? "tcx:ballast_shed u32 " : "bpf:ballast_shed") !=
              std::string::npos,
          chain);
    server.exec({"tc", "qdisc", "del", "dev", "s0", "clsact"});
    if (device.at("kind") == "clsact") {
        await([&] { return is_attached(scene, "s0"); }, "its return");
        check(!log_lines(scene, {"reason=hook_reattached", "device=s0"}).empty(), "the finding");
    }
    check_errno(attempt(scene.link.client, listener.dest()).error, ECONNREFUSED, "it goes on");
    scene.ballastd.json({"unload"});
    check_equal(server.exec({"tc", "filter", "show", "dev", "s0", "ingress"}), std::string(),
                "filters");
}

/// Whatever becomes of the daemon: as it was, and after its grace only as an observer.
void outlives_the_daemon(const Family& family) {
    auto& scene = shed_scene();
    auto& listener = listen_in(scene, family);
    const auto text = shed_policy(rule_of(listener.dest(), by_depth), "\"s0\"",
                                  "sweep_interval = \"1s\"\ndaemon_grace = \"4s\"");
    enact(scene, text);
    fill(scene, listener.dest());
    scene.ballastd.crash();
    const auto crashed = Clock::now();
    check_errno(attempt(scene.link.client, listener.dest()).error, ECONNREFUSED, "after kill -9");
    const std::function<bool()> is_passed = [&] {
        const Fd client = tcp_socket(scene.link.client, family.domain, SOCK_NONBLOCK);
        (void)connect_errno(client, listener.dest());
        return !wait_fd(client.get(), POLLOUT, Clock::now() + std::chrono::milliseconds(300));
    };
    await(is_passed, "the grace to end");
    check(Clock::now() - crashed > std::chrono::seconds(2), "not before");
    scene.ballastd.start();
    check_errno(attempt(scene.link.client, listener.dest()).error, ECONNREFUSED,
                "with the next daemon");
    check_equal(scene.ballastd.status().at("shed").at("devices").size(), std::size_t(1), "devices");
    enact(scene, limit_policy(100'000, "observe"));
    check(!is_attached(scene, "s0"), "without rules");
    const auto qdiscs = scene.link.server.exec({"tc", "qdisc", "show", "dev", "s0"});
    check(qdiscs.find("clsact") == std::string::npos, qdiscs);
    const Fd client = tcp_socket(scene.link.client, family.domain, SOCK_NONBLOCK);
    check_errno(connect_errno(client, listener.dest()), EINPROGRESS, "nothing is refused");
    check(!wait_fd(client.get(), POLLOUT, Clock::now() + std::chrono::milliseconds(300)),
          "nothing is refused");
}

} // namespace

TEST_GROUP(shed) {
    return Suite()
        .each(families, "refuses at once", refuses_at_once)
        .host_each(families, "refuses data in the SYN", refuses_data_in_the_syn)
        .host_each(families, "only reports where it observes", only_reports_where_it_observes)
        .host_each(families, "spares the prefixes of its rule", spares_the_prefixes_of_its_rule)
        .host_each(families, "keeps to a rate", keeps_to_a_rate)
        .host_each(families, "refuses for one that is stuck", refuses_for_one_that_is_stuck)
        .host_add("follows devices", follows_devices)
        .each(families, "lives beside others", lives_beside_others)
        .each(families, "outlives the daemon", outlives_the_daemon)
        .run_at_once("shed", 4);
}

} // namespace test_shed_listeners

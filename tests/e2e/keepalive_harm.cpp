// SPDX-License-Identifier: Apache-2.0
// Promise: keepalive and connect_timeout end nothing that would live without Ballast: not while a
// peer keeps its window shut, not where a program has little patience of its own, and what a
// program chooses stays its own.
#include "tests/e2e/kept_alive.h"
#include "tests/harness/group.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>

namespace test_keepalive_harm {

using namespace ballast;
using namespace ballast::test;

namespace {

const std::string enforced = "mode = \"enforce\"";

Fd connect_with(const Scene& scene, const Family& family, const Dest& dest,
                const std::function<void(const Fd&)>& set) {
    auto socket = tcp_socket(scene.link.client, family.domain);
    set(socket);
    check_errno(connect_errno(socket, dest), 0, "connect()");
    return socket;
}

/// A2. As PostgreSQL behind a row lock, or a stopped process: the kernel acknowledges each probe of
/// the shut window.
void a_window_may_be_shut_for_long(const Family& family) {
    constexpr std::chrono::seconds shut_for{38};
    auto& scene = make_scene(
        keepalive_policy(enforced + "\nidle = \"1s\"\ninterval = \"4s\"\ncount = 8", ""));
    auto& listener = serve(scene, family);
    const auto client = attempt(scene.link.client, listener.dest()).socket;
    const auto server = listener.accept();
    check_equal(keepalive_of(client).user_timeout_ms, 0, "user timeout");
    const std::vector<char> block(64 * 1024, 'x');
    std::size_t sent = 0;
    const auto began = Clock::now();
    while (wait_fd(client.get(), POLLOUT, Clock::now() + std::chrono::milliseconds(300)))
        sent += static_cast<std::size_t>(
            std::max(::send(client.get(), block.data(), block.size(), MSG_DONTWAIT), ssize_t{0}));
    wait_until([&] { return Clock::now() - began > shut_for; }, 3 * shut_for);
    check_equal(tcp_state(client), TCP_ESTABLISHED, "state behind the shut window");
    std::vector<char> taken(block.size());
    std::size_t got = 0;
    while (got < sent && wait_fd(server.get(), POLLIN, Clock::now() + patience()))
        got += static_cast<std::size_t>(
            std::max(::recv(server.get(), taken.data(), taken.size(), MSG_DONTWAIT), ssize_t{0}));
    check_equal(got, sent, "bytes that arrive once it is open");
}

/// The keepalive of the only connection to a destination, as `ballast flows` shows it.
Json shown(Scene& scene, const Dest& dest) {
    const auto flows = scene.ballastd.json({"flows", "dest=" + dest.text()}).at("flows");
    check_equal(flows.size(), std::size_t{1}, "connections to " + dest.text());
    return flows.front().at("keepalive");
}

/// A3. With 20 s, an outage of 25 would end it, idle or not.
void little_patience_of_a_program_is_left_alone(const Family& family) {
    auto& scene = make_scene(keepalive_policy(enforced));
    auto& listener = serve(scene, family);
    const auto socket = connect_with(scene, family, listener.dest(), [](const Fd& made) {
        set_option(made, IPPROTO_TCP, TCP_USER_TIMEOUT, 20'000);
    });
    check_equal(keepalive_of(socket).on, 0, "keepalive of a new one");
    scene.ballastd.sweep();
    const auto got = keepalive_of(socket);
    check_equal(got.on, 0, "keepalive after a sweep");
    check_equal(got.user_timeout_ms, 20'000, "the program's user timeout");
    check_equal(shown(scene, listener.dest()).at("why_not").dump(), "\"user_timeout\"",
                "the reason");
    const auto text = scene.ballastd.cli({"flows", "dest=" + listener.dest().text()}).out;
    check(text.find("no: user timeout 20s") != std::string::npos, "it is said:\n" + text);
    set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 600'000);
    need(::send(socket.get(), "x", 1, 0) == 1,
         "send"); // how long it has been silent is added to the idle time
    scene.ballastd.sweep();
    check_ballasts(keepalive_of(socket), 60, "once there is room");
    set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 20'000);
    scene.ballastd.sweep();
    check_equal(keepalive_of(socket).on, 0, "keepalive once there is none again");
}

void few_probes_of_a_program_are_left_alone(const Family& family) {
    auto& scene = make_scene(keepalive_policy(enforced));
    auto& listener = serve(scene, family);
    const KeptAlive chosen{1, 600, 5, 3, 0};
    const auto socket = connect_with(scene, family, listener.dest(), [&](const Fd& made) {
        set_option(made, SOL_SOCKET, SO_KEEPALIVE, chosen.on);
        set_option(made, IPPROTO_TCP, TCP_KEEPIDLE, chosen.idle_s);
        set_option(made, IPPROTO_TCP, TCP_KEEPINTVL, chosen.interval_s);
        set_option(made, IPPROTO_TCP, TCP_KEEPCNT, chosen.count);
    });
    scene.ballastd.sweep();
    check_same(keepalive_of(socket), chosen, "15 s from the first probe to the end");
    check_equal(shown(scene, listener.dest()).at("why_not").dump(), "\"patience\"", "the reason");
}

/// A20, and A6: for 30 s at least.
void the_interval_fits_the_idle_time(const Family& family) {
    auto& scene = make_scene(keepalive_policy(enforced, "5s"));
    auto& listener = serve(scene, family);
    scene.link.client.sysctl("net.ipv4.tcp_keepalive_probes", 3);
    const auto got = keepalive_of(attempt(scene.link.client, listener.dest()).socket);
    note(got.text());
    check_ballasts(got, 5, "a short start");
    check(got.interval_s <= got.idle_s, "or it would take the place of the idle time");
    check(got.interval_s * got.count >= 30, "patience");
}

/// A19. The program sets the very values that Ballast has set.
void what_a_program_chooses_stays(const Family& family) {
    auto& scene = make_scene(keepalive_policy(enforced));
    auto& listener = serve(scene, family);
    const auto socket = attempt(scene.link.client, listener.dest()).socket;
    const auto other = attempt(scene.link.client, listener.dest()).socket;
    const auto ours = keepalive_of(socket);
    check_ballasts(ours, 60, "by Ballast");
    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, ours.idle_s);
    const int wrong = 0;
    check(::setsockopt(socket.get(), IPPROTO_TCP, TCP_KEEPINTVL, &wrong, sizeof wrong) != 0,
          "a value that the kernel refuses");
    scene.ballastd.sweep();
    scene.ballastd.json({"disarm"});
    scene.ballastd.sweep();
    auto got = keepalive_of(socket);
    check_equal(got.on, 1, "the program's keepalive, disarmed");
    check_equal(got.idle_s, ours.idle_s, "its idle time");
    check_equal(got.interval_s, 75, "the kernel's interval");
    check_equal(keepalive_of(other).on, 0, "that of one that chose nothing");
    scene.ballastd.json({"arm"});
    scene.ballastd.sweep();
    scene.ballastd.json({"unload"});
    got = keepalive_of(socket);
    check_equal(got.on, 1, "the program's keepalive, unloaded");
    check_equal(got.idle_s, ours.idle_s, "its idle time");
    check_equal(keepalive_of(other).on, 0, "that of one that chose nothing");
}

/// Options that are none of Ballast's, of any size, pass as they are.
void other_options_are_not_touched() {
    auto& scene = make_scene(keepalive_policy(enforced));
    const auto socket = tcp_socket(scene.link.client, AF_INET);
    const std::string control(15, 'r');
    check(::setsockopt(socket.get(), IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0, "a short text");
    check(::setsockopt(socket.get(), IPPROTO_TCP, TCP_CONGESTION, control.data(), 15) != 0,
          "a congestion control that is not there");
    const std::vector<char> long_value(64 * 1024, '\1');
    check(::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, long_value.data(),
                       static_cast<socklen_t>(long_value.size())) == 0,
          "a value longer than a page");
    check_equal(keepalive_of(socket).on, 1, "what it set");
}

/// Seconds until the first probe by `ss`; 0: keepalive is off.
int keepalive_timer(const Netns& where, const Dest& dest) {
    const auto text = where.exec({"ss", "-Htno", "state", "established", "dst", dest.text()});
    std::smatch found;
    const std::regex timer("keepalive,([0-9]+)(min|sec|\\.|ms)");
    if (!std::regex_search(text, found, timer))
        return 0;
    return found[2] == "min" ? 60 * std::stoi(found[1]) : std::max(1, std::stoi(found[1]));
}

/// redis-cli asks for keepalive once it is connected: 15 s, 5 s, 3 times.
void redis_cli_keeps_its_own(const Family& family) {
    auto& scene = make_scene(keepalive_policy(enforced));
    const Dest dest{family.server, 6379};
    const auto directory = make_temp_dir();
    auto& server = make<Process>();
    server.start({.argv = {"redis-server", "--port", "6379", "--bind", dest.host, "--save", "",
                           "--protected-mode", "no", "--dir", directory},
                  .network_namespace = scene.link.server.fd(),
                  .output = directory + "/server.log"});
    await([&] { return attempt(scene.link.client, dest).error == 0; }, "redis-server");
    auto& client = make<Process>();
    client.start({.argv = {"redis-cli", "-h", dest.host, "SUBSCRIBE", "news"},
                  .network_namespace = scene.link.client.fd(),
                  .output = directory + "/client.log"});
    const auto timer = [&] { return keepalive_timer(scene.link.client, dest); };
    await([&] { return timer() > 0 && timer() <= 15; }, "redis-cli to ask for keepalive");
    scene.ballastd.sweep();
    scene.ballastd.json({"unload"});
    check(timer() > 0, "it is still on after unload");
}

/// Keepalive probes to a port, as the server's namespace receives them: when, by flow.
class Probes {
public:
    Probes(const Netns& where, std::uint16_t port) : port_(port) {
        const Inside inside(where.fd());
        socket_.reset(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP)));
        need(static_cast<bool>(socket_), "socket(AF_PACKET)");
        set_option(socket_, SOL_SOCKET, SO_RCVBUFFORCE, 64 * 1024 * 1024);
        set_option(socket_, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    }

    /// Takes what has come; the number of flows that have been probed.
    std::size_t take() {
        while (wait_fd(socket_.get(), POLLIN, Clock::now()))
            take_one();
        return first_.size();
    }
    /// The first probe of each flow, ms.
    [[nodiscard]] std::vector<long> times() const {
        std::vector<long> all;
        for (const auto& [flow, at] : first_)
            all.push_back(at);
        std::ranges::sort(all);
        return all;
    }

private:
    static long when(const msghdr& message) {
        for (const cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr;
             one = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(one)))
            if (one->cmsg_level == SOL_SOCKET && one->cmsg_type == SCM_TIMESTAMPNS) {
                timespec at{};
                std::memcpy(&at, CMSG_DATA(one), sizeof at);
                return at.tv_sec * 1000 + at.tv_nsec / 1'000'000;
            }
        return 0;
    }
    void take_one() {
        std::array<char, 256> packet{};
        alignas(cmsghdr) std::array<char, 128> control{};
        sockaddr_ll from{};
        iovec part{packet.data(), packet.size()};
        msghdr message{};
        message.msg_name = &from;
        message.msg_namelen = sizeof from;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const auto got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_TRUNC);
        iphdr ip{};
        tcphdr tcp{};
        if (got < static_cast<ssize_t>(sizeof ip + sizeof tcp) || from.sll_pkttype != PACKET_HOST)
            return;
        std::memcpy(&ip, packet.data(), sizeof ip);
        std::memcpy(&tcp, packet.data() + ip.ihl * 4U, sizeof tcp);
        if (ip.protocol == IPPROTO_TCP && ntohs(tcp.dest) == port_ && tcp.ack && !tcp.syn)
            first_.try_emplace(ntohs(tcp.source), when(message));
    }

    Fd socket_;
    std::uint16_t port_;
    std::map<std::uint16_t, long> first_;
};

/// A18. All have been idle for longer than the first probe would take.
void first_probes_are_spread() {
    constexpr unsigned flows = 2000;
    constexpr std::chrono::milliseconds idle{5500};
    const auto link = make_link();
    auto& ballastd = make<Ballastd>(keepalive_policy(enforced, "5s"));
    auto& scene = make<Scene>(link, ballastd);
    auto& listener = serve(scene, families.front());
    open_connections(link.client, listener.dest(), flows);
    const auto began = Clock::now();
    await([&] { return Clock::now() - began > idle; }, "all of them to be idle");
    Probes probes(link.server, listener.dest().port);
    ballastd.start();
    check(wait_until([&] { return probes.take() >= flows; }, patience(std::chrono::seconds(30))),
          fmt::format("a probe of each: {} of {}", probes.take(), flows));
    std::map<long, unsigned> in_10_ms;
    std::set<long> seconds;
    for (const auto at : probes.times()) {
        ++in_10_ms[at / 10];
        seconds.insert(at / 1000);
    }
    const auto most =
        std::ranges::max_element(in_10_ms, {}, [](const auto& e) { return e.second; });
    note(fmt::format("{} probes at once at the most, in {} different seconds", most->second,
                     seconds.size()));
    check(most->second <= flows / 4, "no quarter of them at once");
    check(seconds.size() >= 5, "over several seconds");
}

/// A22. TCP_SYNCNT 1 fails after 3 s, one with a user timeout of 5 s after 5.
void connect_timeout_only_tightens(const Family& family) {
    auto& scene = make_scene(policy({{.mode = "enforce"}}) + "connect_timeout = \"60s\"\n");
    const Dest silent{family.silent, 9};
    const auto begin = [&](int option, int value) {
        auto socket = tcp_socket(scene.link.client, family.domain, SOCK_NONBLOCK);
        set_option(socket, IPPROTO_TCP, option, value);
        check_errno(connect_errno(socket, silent), EINPROGRESS, "connect()");
        return socket;
    };
    const auto few = begin(TCP_SYNCNT, 1);
    const auto control = begin(TCP_USER_TIMEOUT, 5000);
    const auto many = begin(TCP_SYNCNT, 8);
    check_equal(keepalive_of(few).user_timeout_ms, 0, "bound of one that gives up sooner");
    check_equal(keepalive_of(many).user_timeout_ms, 60'000, "bound of one that does not");
    scene.link.client.sysctl("net.ipv4.tcp_syn_retries", 2);
    check_equal(keepalive_of(connecting(scene.link.client, silent)).user_timeout_ms, 0,
                "bound where the host gives up sooner");
    check_errno(connect_result(control), ETIMEDOUT, "the one with the user timeout");
    check(wait_fd(few.get(), POLLOUT, Clock::now()), "TCP_SYNCNT 1 has failed before");
}

} // namespace

TEST_GROUP(keepalive_harm) {
    return Suite()
        .each(families, "a window may be shut for long", a_window_may_be_shut_for_long)
        .host_add("first probes are spread", first_probes_are_spread)
        .each(families, "connect_timeout only tightens", connect_timeout_only_tightens)
        .each(families, "little patience of a program is left alone",
              little_patience_of_a_program_is_left_alone)
        .host_each(families, "few probes of a program are left alone",
                   few_probes_of_a_program_are_left_alone)
        .host_each(families, "the interval fits the idle time", the_interval_fits_the_idle_time)
        .each(families, "what a program chooses stays", what_a_program_chooses_stays)
        .add("other options are not touched", other_options_are_not_touched)
        .host_each(families, "redis-cli keeps its own", redis_cli_keeps_its_own)
        .run_at_once("keepalive_harm", 6);
}

} // namespace test_keepalive_harm

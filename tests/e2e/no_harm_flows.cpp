// SPDX-License-Identifier: Apache-2.0
// Promise (docs/no-harm.md, A): with half_open enforced and action = "reset", no connection ends
// that would have lived without Ballast. Each is in an ordinary situation that looks like a fault,
// and is called what it is.
#include "tests/e2e/half_open_place.h"
#include "tests/harness/group.h"

#include <algorithm>
#include <cstdlib>

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace test_no_harm_flows {

using namespace ballast;
using namespace ballast::test;
using std::chrono::seconds;

namespace {

/// Everything that may be reset is: what lives must live because it is not found, or is waited for.
constexpr const char* every_kind =
    "mode = \"enforce\", action = \"reset\", reset_kinds = [\"silently_dropped\", \"path_down\", "
    "\"peer_hung\"]";
/// What most people write.
constexpr const char* default_kinds = "mode = \"enforce\", action = \"reset\"";

Place& make_open_place(const Family& family, const std::string& half_open,
                       const std::string& more = {}) {
    auto& place = make_place(family, flow_policy(half_open) + more);
    place.wall.stand(never_forget_s);
    return place;
}

long count_of(const Place& place, const std::string& key) {
    return place.scene.ballastd.status().at("half_open").at(key).get<long>();
}

bool is_open(const Fd& socket) {
    return tcp_state(socket) == TCP_ESTABLISHED;
}

void let_pass(std::chrono::milliseconds time) {
    const auto until = Clock::now() + time;
    await([&] { return Clock::now() >= until; }, "time to pass");
}

/// Lets it pass, with a sweep each second.
void sweep_for(const Place& place, seconds time) {
    const auto until = Clock::now() + time;
    sweep_until(
        place, [&] { return Clock::now() >= until; }, "time to pass");
}

std::vector<std::string> lines_of(const Place& place, const Fd& socket) {
    return log_lines(place.scene, {"finding reason=half_open", local_text(socket) + "->"});
}

void check_unharmed(const Place& place, const Through& pair) {
    check(is_open(pair.client), "it is open");
    check(exchange(pair), "it works");
    check_equal(count_of(place, "reset"), 0L, "resets");
}

tcp_info info_of(const Fd& socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    need(::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0, "TCP_INFO");
    return info;
}

/// Writes what fits; how many bytes that were.
long fill(const Fd& socket) {
    const std::string much(1 << 16, 'x');
    long all = 0;
    for (;;) {
        const auto sent =
            ::send(socket.get(), much.data(), much.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0)
            return all;
        all += sent;
    }
}

/// Writes until nothing more is taken.
void shut_window(const Through& pair) {
    await(
        [&] {
            fill(pair.client);
            int waiting = 0;
            ::ioctl(pair.client.get(), SIOCOUTQ, &waiting);
            return info_of(pair.client).tcpi_unacked == 0 && waiting > 0;
        },
        "the window to shut");
}

/// A1: it reads all the time, and slower than the other end writes.
void a_slow_reader(const Family& family) {
    auto& place = make_open_place(family, every_kind);
    std::vector<Through*> pairs;
    for (int i = 0; i < 3; ++i)
        pairs.push_back(&through(place.wall, place.listener));
    auto& reader = make<Process>();
    reader.fork([&] {
        std::string taken(1 << 16, ' ');
        for (;;) { // until it is killed
            for (const auto* pair : pairs)
                ::recv(pair->server.get(), taken.data(), taken.size(), MSG_DONTWAIT);
            ::usleep(250'000);
        }
        return 0;
    });
    const auto until = Clock::now() + seconds(14);
    long written = 0;
    sweep_until(
        place,
        [&] {
            for (const auto* pair : pairs)
                written += fill(pair->client);
            return Clock::now() >= until;
        },
        "fourteen seconds of it");
    note(fmt::format("{} bytes written", written));
    check(written > 10'000'000, "what was written was read");
    for (const auto* pair : pairs) {
        check(is_open(pair->client), "it is open");
        check(lines_of(place, pair->client).empty(), "nothing is found");
    }
}

/// A2: the window is shut for longer than any patience, and then opens again.
void a_reader_that_is_stopped(const Family& family) {
    auto& place = make_open_place(family, default_kinds);
    auto& pair = through(place.wall, place.listener);
    shut_window(pair);
    sweep_for_kind(place, "peer_hung", pair.client);
    const auto line = test::findings(place, "peer_hung").front();
    for (const auto* part : {"window=0", "lasting_ms=1", "unacked_bytes=", "act=none why=kind"})
        check(line.find(part) != std::string::npos, fmt::format("{} in: {}", part, line));
    sweep_for(place, seconds(3));
    std::string taken(1 << 20, ' ');
    sweep_until(
        place,
        [&] {
            while (::recv(pair.server.get(), taken.data(), taken.size(), MSG_DONTWAIT) > 0) {
            }
            return !test::findings(place, "cleared", local_text(pair.client)).empty();
        },
        "the finding to be taken back");
    check_unharmed(place, pair);
    check(
        place.scene.ballastd.json({"breaker", "list"}).dump().find(place.listener.dest().text()) ==
            std::string::npos,
        "its breaker has heard of nothing");
}

/// A4: nothing comes for a while, of any connection, and then all goes on.
void an_outage(const Family& family) {
    auto& place = make_open_place(family, every_kind);
    std::vector<Through*> pairs;
    for (int i = 0; i < 5; ++i)
        pairs.push_back(&through(place.wall, place.listener));
    place.wall.shut();
    for (const auto* pair : pairs)
        say(pair->client);
    live_until(
        {}, [&] { return count_of(place, "reset_waiting") == 5; }, "five findings");
    let_pass(seconds(5));
    check_equal(count_of(place, "reset_waiting"), 5L, "resets that wait");
    place.wall.open();
    live_until(
        {}, [&] { return count_of(place, "reset_waiting") == 0 && is_calm(place); },
        "the path to be back");
    for (const auto* pair : pairs)
        check(is_open(pair->client), "it is open");
    check_equal(count_of(place, "reset"), 0L, "resets");
}

/// Where the policy names the kind and its patience is over, the blocked program is freed.
void a_path_that_stays_down(const Family& family) {
    auto& place = make_open_place(family, std::string(every_kind) + ", path_down_after = \"4s\"");
    auto& pair = through(place.wall, place.listener);
    place.wall.shut();
    say(pair.client);
    await_kind(place, "path_down", pair.client);
    live_until(
        {}, [&] { return !is_open(pair.client); }, "the reset");
    live_until(
        {},
        [&] {
            return !log_lines(place.scene, {"half_open_flow_reset", "act=reset"}).empty();
        },
        "what became of it");
}

/// A5: all destinations of a small host are cut off for longer than any clock of ours runs.
void all_of_three_destinations(const Family& family) {
    auto& place =
        make_open_place(family, std::string(every_kind) + ", path_down_after = \"1s\"",
                        "[governor]\nobserver_fault_window = \"1s\"\nrelease_after = \"1s\"\n");
    std::vector<Through*> pairs;
    for (int i = 0; i < 3; ++i)
        pairs.push_back(&through(place.wall, listen(place.wall, family)));
    place.scene.ballastd.sweep();
    place.wall.shut();
    for (const auto* pair : pairs)
        say(pair->client);
    live_until(
        {}, [&] { return count_of(place, "reset_waiting") == 3; }, "three findings");
    let_pass(seconds(6));
    check_equal(count_of(place, "reset_waiting"), 3L, "resets that are held back");
    check(place.scene.ballastd.status().at("half_open").at("holding").get<bool>(), "it is said");
    check_equal(log_lines(place.scene, {"reason=observer_fault "}).size(), std::size_t{1},
                "the log says so once");
    check(place.scene.ballastd.cli({"status"}).out.find("this host's own network is suspect") !=
              std::string::npos,
          "the screen too");
    place.wall.open();
    live_until(
        {}, [&] { return log_lines(place.scene, {"reason=observer_fault_over "}).size() == 1; },
        "the hold to end");
    live_until(
        {}, [&] { return count_of(place, "reset_waiting") == 0; }, "the queue to be empty");
    for (const auto* pair : pairs)
        check(is_open(pair->client), "nobody was reset");
    check_equal(count_of(place, "reset"), 0L, "resets");
}

/// A8: its queue is full, so the server takes no data of the connection that the client has.
void one_that_is_not_accepted(const Family& family) {
    auto& place = make_open_place(family, default_kinds);
    const Netns& client = place.wall.link().client;
    auto& small = make<Listener>(place.wall.link().server, Dest{family.server, 0}, 1);
    auto made = attempt(client, small.dest());
    check_errno(made.error, 0, "connect()");
    auto& busy = make<Through>(std::move(made.socket), small.accept());
    converse(busy);
    place.wall.hold_acks(); // the server has heard of it, and does not have it yet
    auto& late = make<Attempt>(attempt(client, small.dest()));
    check_errno(late.error, 0, "connect()");
    place.wall.cut(late.socket, Way::there); // until others have taken all places
    std::vector<Attempt>& waiting = make<std::vector<Attempt>>();
    for (int i = 0; i < 2; ++i) { // backlog + 1 fit
        waiting.push_back(attempt(client, small.dest()));
        check_errno(waiting.back().error, 0, "connect()");
    }
    place.wall.stand(never_forget_s);
    say(late.socket);
    await_kind(place, "not_accepted", late.socket, {&busy});
    check(is_open(late.socket), "it is open");
    check_equal(count_of(place, "reset"), 0L, "resets");
    for (const auto& one : waiting)
        say(one.socket);
    for (int i = 0; i < 3; ++i) {
        auto& accepted = make<Fd>(small.accept());
        char byte = 0;
        check(wait_fd(accepted.get(), POLLIN, Clock::now() + patience()) &&
                  ::recv(accepted.get(), &byte, 1, 0) == 1,
              "it is served after all");
    }
}

/// A9: large packets are lost without a word; the kernel's own cure (net.ipv4.tcp_mtu_probing)
/// takes some seconds.
void swallows_large_packets(const Family& family, int passed_before) {
    auto& place = make_open_place(family, default_kinds);
    place.wall.link().client.sysctl("net.ipv4.tcp_mtu_probing", 1);
    auto& pair = through(place.wall, place.listener);
    auto& busy = through(place.wall, place.listener);
    const std::string large(1400, 'x');
    std::string read(large.size(), ' ');
    for (int i = 0; i < passed_before; ++i) {
        need(::send(pair.client.get(), large.data(), large.size(), MSG_NOSIGNAL) == 1400, "send");
        need(::recv(pair.server.get(), read.data(), read.size(), MSG_WAITALL) == 1400, "recv");
    }
    place.wall.swallow(1280);
    need(::send(pair.client.get(), large.data(), large.size(), MSG_NOSIGNAL) == 1400, "send");
    await_kind(place, "mtu_black_hole", pair.client, {&busy});
    check(test::findings(place, "mtu_black_hole").front().find("segment_bytes=13") !=
                  std::string::npos ||
              test::findings(place, "mtu_black_hole").front().find("segment_bytes=14") !=
                  std::string::npos,
          "the size is named");
    std::string taken(large.size(), ' ');
    std::size_t got = 0;
    live_until(
        {&busy},
        [&] {
            const auto some =
                ::recv(pair.server.get(), taken.data(), taken.size() - got, MSG_DONTWAIT);
            got += some > 0 ? static_cast<std::size_t>(some) : 0;
            return got == large.size();
        },
        "the kernel's cure");
    check_unharmed(place, pair);
}

void a_path_that_swallows_large_packets(const Family& family) {
    swallows_large_packets(family, 0);
}

/// As a route that changes to one with a tunnel, and back.
void a_path_that_becomes_narrow(const Family& family) {
    swallows_large_packets(family, 50);
}

/// A10: clients behind one address, one of which sleeps. Seen from the server.
void a_client_behind_nat(const Family& family) {
    auto& place = make_open_place(family, every_kind);
    auto& asleep = through(place.wall, place.listener);
    auto& awake = through(place.wall, place.listener);
    place.wall.cut(asleep.client, Way::both);
    say(asleep.server);
    await_kind(place, "client_silent", asleep.server, {&awake});
    check_none(place, "silently_dropped");
    const auto line = test::findings(place, "client_silent").front();
    check(line.find("mode=enforce") == std::string::npos, "it does not claim to enforce: " + line);
    check(is_open(asleep.server), "it is open");
    place.wall.stand(never_forget_s);
    char byte = 0;
    check(wait_fd(asleep.client.get(), POLLIN, Clock::now() + patience()) &&
              ::recv(asleep.client.get(), &byte, 1, 0) == 1,
          "its session resumes");
}

/// A11: of two uplinks, told apart by the source address, one is cut.
void one_of_two_uplinks(const Family& family) {
    auto& place = make_open_place(family, std::string(default_kinds) + ", witness = \"connect\"");
    const bool is_v4 = family.domain == AF_INET;
    const std::string second = is_v4 ? "10.77.0.3" : "fd77::3";
    auto& good = through(place.wall, place.listener);
    place.wall.link().client.ip(
        {is_v4 ? "addr add 10.77.0.3/24 dev c0" : "addr add fd77::3/64 dev c0 nodad"});
    auto& bad = through_from(place.wall, place.listener, second);
    place.wall.cut_off(second);
    say(bad.client);
    await_kind(place, "path_down", bad.client, {&good});
    check(test::findings(place, "path_down").front().find("fresh_connect=answered") ==
              std::string::npos,
          "no witness by the other uplink");
    const auto until = Clock::now() + seconds(4);
    live_until(
        {&good}, [&] { return Clock::now() >= until; }, "a while");
    check_none(place, "silently_dropped");
    place.wall.stand(never_forget_s);
    char byte = 0;
    check(wait_fd(bad.server.get(), POLLIN, Clock::now() + patience()) &&
              ::recv(bad.server.get(), &byte, 1, 0) == 1,
          "it goes on");
    check_unharmed(place, bad);
}

/// A12: what this host itself does not send is found at once, and called that.
void finds_its_own_fault(const Family& family, const std::string& kind,
                         const std::vector<std::string>& commands) {
    auto& place = make_open_place(family, default_kinds);
    auto& pair = through(place.wall, place.listener);
    place.wall.link().client.ip(commands);
    say(pair.client);
    sweep_for_kind(place, kind, pair.client);
    check(test::findings(place, "path_down", local_text(pair.client) + "->").empty(),
          "the path is not blamed");
    check(is_open(pair.client), "it is open");
}

void an_address_that_is_gone(const Family& family) {
    finds_its_own_fault(
        family, "address_gone",
        {family.domain == AF_INET ? "addr del 10.77.0.1/24 dev c0" : "addr del fd77::1/64 dev c0"});
}

void a_route_that_is_gone(const Family& family) {
    finds_its_own_fault(family, "local_fault",
                        {family.domain == AF_INET ? "route del default" : "route del ::/0"});
}

void an_output_rule(const Family& family) {
    auto& place = make_open_place(family, default_kinds);
    auto& pair = through(place.wall, place.listener);
    const auto rules = make_temp_dir() + "/rules";
    write_file(rules, "table inet own {\n"
                      "  chain output {\n"
                      "    type filter hook output priority 0; policy accept;\n"
                      "    tcp flags & syn == 0 drop\n"
                      "  }\n"
                      "}\n");
    const Netns& client = place.wall.link().client;
    client.exec({"nft", "-f", rules});
    say(pair.client);
    sweep_for_kind(place, "local_fault", pair.client);
    client.exec({"nft", "flush", "ruleset"});
    char byte = 0;
    check(wait_fd(pair.server.get(), POLLIN, Clock::now() + patience()) &&
              ::recv(pair.server.get(), &byte, 1, 0) == 1,
          "it goes on");
    check_unharmed(place, pair);
}

/// A16: a server that takes and never answers, by design.
void a_server_that_never_answers(const Family& family) {
    auto& place = make_open_place(family, std::string(every_kind) + ", response_timeout = \"1s\"");
    auto made = attempt(place.wall.link().client, place.listener.dest());
    check_errno(made.error, 0, "connect()");
    auto& pair = make<Through>(std::move(made.socket), place.listener.accept());
    const auto until = Clock::now() + seconds(6);
    char byte = 0;
    sweep_until(
        place,
        [&] {
            if (Clock::now() < until - seconds(4)) {
                say(pair.client);
                return ::recv(pair.server.get(), &byte, 1, 0) != 1;
            }
            return Clock::now() >= until;
        },
        "six seconds of it");
    check(lines_of(place, pair.client).empty(), "nothing is found");
    check(is_open(pair.client), "it is open");
}

/// A24: it has sent little so far, and its neighbours show that the path loses nothing.
void a_young_connection(const Family& family) {
    auto& place = make_open_place(family, default_kinds);
    auto& busy = through(place.wall, place.listener);
    auto made = attempt(place.wall.link().client, place.listener.dest());
    check_errno(made.error, 0, "connect()");
    auto& young = make<Through>(std::move(made.socket), place.listener.accept());
    for (int i = 0; i < 5; ++i)
        check(exchange(young), "it works");
    place.wall.cut(young.client, Way::there);
    say(young.client);
    // It hears its peer all the time, so it is suspected late, after several tries.
    std::string taken(1 << 10, ' ');
    live_until(
        {&busy},
        [&] {
            say(young.server);
            ::recv(young.client.get(), taken.data(), taken.size(), MSG_DONTWAIT);
            return !test::findings(place, "silently_dropped", local_text(young.client)).empty();
        },
        "the finding");
    const auto line = test::findings(place, "silently_dropped", local_text(young.client)).front();
    note(line);
    for (const auto* part : {"tries=7", "tries=8", "tries=9"})
        check(line.find(part) == std::string::npos, "it takes no more tries than others");
}

/// A25: a pool that a firewall forgot is freed as fast as the programs notice it.
void a_pool_of_dead_connections(const Family& family) {
    constexpr int many = 150; // beyond all caps for a minute
    auto& place = make_place(family, flow_policy(default_kinds));
    auto& busy = through(place.wall, place.listener);
    std::vector<Through*> pool;
    for (int i = 0; i < many; ++i) {
        pool.push_back(&through(place.wall, place.listener));
        check(exchange(busy), "the other connection lives");
    }
    let_idle(pool.back()->client, {&busy});
    for (const auto* pair : pool)
        say(pair->client);
    live_until(
        {&busy}, [&] { return count_of(place, "reset") == many; }, "all to be reset");
    check(log_lines(place.scene, {"why=cap"}).empty(), "none had to wait");
    check(std::ranges::none_of(pool, [](const auto* pair) { return is_open(pair->client); }),
          "none is left");
    check(exchange(busy), "the neighbour works");
    // A28: one line for what happened, not one a connection.
    const auto lines = log_lines(place.scene, {"finding reason=half_open"}).size();
    check(lines <= 6, fmt::format("{} lines for {} connections", lines, many));
    check(log_lines(place.scene, {"half_open_flow_cleared"}).empty(),
          "what was destroyed is not called cleared");
    check(log_lines(place.scene, {"half_open_flow_reset", "act=none"}).empty(),
          "what was not reset is not called so");
}

Fd mptcp_socket(const Netns& where, int domain) {
    const Inside inside(where.fd());
    return Fd(::socket(domain, SOCK_STREAM, IPPROTO_MPTCP));
}

/// Listens for MPTCP, and so for plain TCP as well.
const Fd& listen_mptcp(const Wall& wall, const Family& family, Dest& dest) {
    auto& made = make<Fd>(mptcp_socket(wall.link().server, family.domain));
    need(made.get() >= 0, "an MPTCP socket");
    const SocketAddress any(dest, family.domain);
    need(::bind(made.get(), any.get(), any.length) == 0 && ::listen(made.get(), 16) == 0,
         "bind, listen");
    sockaddr_storage bound{};
    socklen_t length = sizeof bound;
    need(::getsockname(made.get(), reinterpret_cast<sockaddr*>(&bound), &length) == 0,
         "getsockname");
    dest.port = ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);
    return made;
}

Through& pair_of(Fd client, const Fd& listener, const Dest& dest) {
    check_errno(connect_errno(client, dest), 0, "connect()");
    auto& pair = make<Through>(std::move(client), Fd(::accept(listener.get(), nullptr, nullptr)));
    converse(pair);
    return pair;
}

/// A26: MPTCP has other paths, and repairs itself.
void a_subflow(const Family& family) {
    auto& place = make_open_place(family, default_kinds);
    Dest dest{family.server, 0};
    const auto& listener = listen_mptcp(place.wall, family, dest);
    const Netns& client = place.wall.link().client;
    auto& pair = pair_of(mptcp_socket(client, family.domain), listener, dest);
    auto& plain = pair_of(tcp_socket(client, family.domain), listener, dest);
    place.wall.cut(pair.client, Way::both);
    say(pair.client);
    await_kind(place, "silently_dropped", pair.client, {&plain});
    check(test::findings(place, "silently_dropped").front().find("act=none why=subflow") !=
              std::string::npos,
          test::findings(place, "silently_dropped").front());
    check_equal(count_of(place, "reset"), 0L, "resets");
    place.wall.stand(never_forget_s);
    char byte = 0;
    check(wait_fd(pair.server.get(), POLLIN, Clock::now() + patience()) &&
              ::recv(pair.server.get(), &byte, 1, 0) == 1,
          "it goes on");
}

/// A27: the round trip grows from almost nothing to four seconds, on the only connection.
void a_path_that_becomes_slow(const Family& family) {
    auto& place = make_open_place(family, every_kind);
    auto& pair = through(place.wall, place.listener);
    place.wall.delay(2000);
    say(pair.client);
    char byte = 0;
    check(wait_fd(pair.server.get(), POLLIN, Clock::now() + patience()) &&
              ::recv(pair.server.get(), &byte, 1, 0) == 1,
          "it arrives late");
    live_until(
        {}, [&] { return info_of(pair.client).tcpi_unacked == 0; }, "the acknowledgement");
    check(is_open(pair.client), "it is open");
    check_equal(count_of(place, "reset"), 0L, "resets");
}

/// Emulated processors have less to spare for cases that wait.
unsigned at_once() {
    return std::getenv("BALLAST_VM") ? 6 : 8;
}

} // namespace

TEST_GROUP(no_harm_flows) {
    Suite suite;
    // The longest first.
    suite.each(walled_families, "a slow reader", a_slow_reader)
        .each(walled_families, "a reader that is stopped", a_reader_that_is_stopped)
        .each(walled_families, "an outage", an_outage)
        .each(walled_families, "a path that stays down", a_path_that_stays_down)
        .each(walled_families, "all of three destinations", all_of_three_destinations)
        .each(walled_families, "one that is not accepted", one_that_is_not_accepted)
        .each(walled_families, "a path that swallows large packets",
              a_path_that_swallows_large_packets)
        .each(walled_families, "a path that becomes narrow", a_path_that_becomes_narrow)
        .each(walled_families, "a client behind NAT", a_client_behind_nat)
        .each(walled_families, "one of two uplinks", one_of_two_uplinks)
        .each(walled_families, "an address that is gone", an_address_that_is_gone)
        .each(walled_families, "a route that is gone", a_route_that_is_gone)
        .each(walled_families, "an output rule", an_output_rule)
        .each(walled_families, "a server that never answers", a_server_that_never_answers)
        .each(walled_families, "a young connection", a_young_connection)
        .each(walled_families, "a pool of dead connections", a_pool_of_dead_connections)
        .each(walled_families, "a subflow", a_subflow);
    if (std::getenv("BALLAST_VM")) // the host has no network emulator
        suite.each(walled_families, "a path that becomes slow", a_path_that_becomes_slow);
    return suite.run_at_once("no_harm_flows", at_once());
}

} // namespace test_no_harm_flows

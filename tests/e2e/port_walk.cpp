// SPDX-License-Identifier: Apache-2.0
// Promise: the local ports in use are counted as `ss` shows them, tuple by tuple, in every network
// namespace, whatever state the sockets are in, and so are those that connect() skips because
// somebody bound them; also while thousands of connections come and go.
#include "daemon/kernel/port_walk.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include <fmt/ranges.h>
#include <netinet/in.h>

#include "tests/harness/check.h"
#include "tests/harness/group.h"
#include "tests/harness/netns.h"
#include "tests/harness/registry.h"
#include "tests/harness/sockets.h"
#include "tests/harness/ss.h"
#include "tests/harness/suite.h"
#include "tests/harness/wait.h"

namespace test_port_walk {

using namespace ballast;
using namespace ballast::test;
using std::chrono::milliseconds;

namespace {

constexpr std::uint16_t low = 32768;
constexpr std::uint16_t high = 60999;
constexpr std::uint16_t first_reserved = 33001;
constexpr std::uint16_t last_reserved = 33100;
constexpr std::uint16_t first_bound = 34000;

/// Where many would take an emulated machine minutes.
std::size_t many(std::size_t count) {
    return std::getenv("BALLAST_VM") != nullptr ? count / 20 : count;
}

kernel::PortWalk& walk() {
    static std::unique_ptr<kernel::PortWalk> loaded;
    if (!loaded) {
        auto made = kernel::PortWalk::load();
        check(made.has_value(), made ? "" : made.error().text());
        loaded = std::move(*made);
    }
    return *loaded;
}

PortCount pass(std::uint32_t least = 1) {
    walk().begin(least);
    for (;;) {
        const auto more = walk().step(milliseconds(1));
        check(more.has_value(), more ? "" : more.error().text());
        if (!*more)
            break;
    }
    auto counted = walk().finish();
    check(counted.has_value(), counted ? "" : counted.error().text());
    return *counted;
}

/// What a tuple has, as text: by it the two witnesses are compared.
using Tuples = std::map<std::string, std::string>;

std::string text_of(std::uint32_t netns, const std::string& source, const std::string& remote) {
    return fmt::format("{} {} -> {}", netns, source, remote);
}

struct Sums {
    unsigned even = 0, odd = 0, unchosen = 0;
    std::map<std::string, unsigned> states;

    [[nodiscard]] std::string text() const {
        return fmt::format("even {} odd {} unchosen {} {}", even, odd, unchosen, states);
    }
};

/// A namespace, and the ports in it that connect() would not choose.
struct Space {
    Netns& netns;
    std::set<std::uint16_t> bound = {}; ///< explicitly
    std::uint16_t next_server = 10'000; ///< outside the range

    [[nodiscard]] bool chooses(std::uint16_t port) const {
        return !bound.contains(port) && (port < first_reserved || port > last_reserved);
    }
};

std::string kind_of(const SsRow& row) {
    if (row.state == "TIME-WAIT")
        return "time_wait";
    if (row.state == "ESTAB")
        return "established";
    if (row.state == "SYN-SENT")
        return "connecting";
    return row.state == "CLOSE-WAIT" ? "close_wait" : "closing";
}

Tuples by_ss(const std::vector<Space>& spaces) {
    std::map<std::string, Sums> sums;
    for (const auto& space : spaces)
        for (const auto& row : ss(space.netns.fd())) {
            const auto port = row.local.port;
            if (port < low || port > high || row.remote.port == 0)
                continue;
            auto& at = sums[text_of(space.netns.inode(), row.local.host, row.remote.text())];
            ++(!space.chooses(port) ? at.unchosen : port % 2 == 0 ? at.even : at.odd);
            ++at.states[kind_of(row)];
        }
    Tuples tuples;
    for (const auto& [key, sum] : sums)
        tuples[key] = sum.text();
    return tuples;
}

Tuples by_walk(const PortCount& counted, const std::vector<Space>& spaces) {
    Tuples tuples;
    for (const auto& tuple : counted.tuples) {
        if (std::ranges::none_of(
                spaces, [&](const Space& space) { return space.netns.inode() == tuple.key.netns; }))
            continue;
        Sums sums{tuple.used.even, tuple.used.odd, tuple.unchosen, {}};
        for (const auto& [state, count] :
             {std::pair("time_wait", tuple.time_wait), std::pair("established", tuple.established),
              std::pair("connecting", tuple.connecting), std::pair("close_wait", tuple.close_wait),
              // ss shows mini-sockets in FIN_WAIT2 and orphans alike
              std::pair("closing", tuple.closing + tuple.fin_wait2)})
            if (count != 0)
                sums.states[state] = count;
        tuples[text_of(tuple.key.netns, tuple.key.source.text(), tuple.key.remote.text())] =
            sums.text();
    }
    return tuples;
}

std::string difference(const Tuples& one, const Tuples& other) {
    std::string text;
    for (const auto& [key, value] : one)
        if (const auto at = other.find(key); at == other.end() || at->second != value)
            text += fmt::format("\n  {}: {} / {}", key, value,
                                at == other.end() ? "nothing" : at->second);
    return text;
}

/// Compares them at a moment at which nothing changes: a TIME_WAIT may end between two looks.
PortCount check_equal_to_ss(const std::vector<Space>& spaces) {
    for (int tries = 0; tries < 10; ++tries) {
        const auto before = by_ss(spaces);
        auto counted = pass();
        check_equal(counted.full, std::uint64_t{0}, "without room");
        if (by_ss(spaces) != before || !counted.is_exact())
            continue;
        const auto walked = by_walk(counted, spaces);
        check(walked == before, "walk / ss:" + difference(walked, before) +
                                    "\nss / walk:" + difference(before, walked));
        std::uint32_t fin_wait2 = 0;
        for (const auto& tuple : counted.tuples)
            fin_wait2 += tuple.fin_wait2;
        note(fmt::format("{} in FIN_WAIT2 without an owner", fin_wait2));
        note(fmt::format("{} sockets in {} tuples, {} ns of processor a socket", counted.sockets,
                         counted.tuples.size(),
                         counted.cpu.count() / static_cast<long>(counted.sockets + 1)));
        return counted;
    }
    fail_test("ten times in a row something changed");
    std::abort();
}

/// Both ends of connections, for as long as the test lasts.
struct Ends {
    std::vector<Fd> clients;
    std::vector<Fd> servers;
};

/// Of an address, and the family of the sockets that connect to it.
struct Kind {
    const char* name;
    const char* server;
    int domain;
};
constexpr Kind kinds[] = {{"ipv4", "127.0.0.1", AF_INET},
                          {"another address", "127.0.0.2", AF_INET},
                          {"v4-mapped", "127.0.0.1", AF_INET6},
                          {"ipv6", "::1", AF_INET6}};

Listener& serve(Space& space, const char* server) {
    return make<Listener>(space.netns, Dest{server, space.next_server++});
}

Fd client_of(const Netns& netns, const Kind& kind, Listener& listener, const Fd* made = nullptr) {
    Fd socket = made ? Fd(::dup(made->get())) : tcp_socket(netns, kind.domain);
    check_errno(connect_errno(socket, listener.dest()), 0, "connect()");
    return socket;
}

void open(const Netns& netns, const Kind& kind, Listener& listener, Ends& ends, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        ends.clients.push_back(client_of(netns, kind, listener));
        ends.servers.push_back(listener.accept());
    }
}

/// Connections of one kind in every state that lasts.
void open_mixed(Space& space, const Kind& kind, Ends& ends) {
    const Netns& netns = space.netns;
    auto& listener = serve(space, kind.server);
    for (std::size_t i = 0; i < many(2200); ++i) { // TIME_WAIT
        client_of(netns, kind, listener).reset();
        listener.accept().reset();
    }
    open(netns, kind, listener, ends, 60);
    Ends closed;
    open(netns, kind, listener, closed, 60);
    closed.servers.resize(40); // CLOSE_WAIT at 20 clients
    for (auto& client : closed.clients)
        ends.clients.push_back(std::move(client));
    closed.clients.clear();
    for (std::size_t i = 0; i < 20; ++i) // FIN_WAIT2 without an owner
        ends.clients.at(ends.clients.size() - 60 + i).reset();
    std::erase_if(ends.clients, [](const Fd& fd) { return !fd; });
    for (auto& server : closed.servers)
        ends.servers.push_back(std::move(server));
}

void bind_to(const Fd& socket, const Kind& kind, std::uint16_t port) {
    const SocketAddress name(Dest{kind.server, port}, kind.domain);
    need(::bind(socket.get(), name.get(), name.length) == 0, "bind");
}

/// Connections from ports that were bound, some without SO_REUSEADDR, some with; a port that is
/// only bound; one that an address alone was bound for, which poisons nothing; a reserved one; a
/// listener in the range with its clients.
void open_bound(Space& space, const Kind& kind, std::uint16_t from, Ends& ends) {
    auto& listener = serve(space, kind.server);
    auto& other = serve(space, kind.server);
    const auto connect_from = [&](std::uint16_t port, bool reuse, Listener& to) {
        Fd socket = tcp_socket(space.netns, kind.domain);
        set_option(socket, SOL_SOCKET, SO_REUSEADDR, reuse ? 1 : 0);
        if (port == 0)
            set_option(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        bind_to(socket, kind, port);
        ends.clients.push_back(client_of(space.netns, kind, to, &socket));
        ends.servers.push_back(to.accept());
        if (port != 0)
            space.bound.insert(port);
    };
    for (std::uint16_t i = 0; i < 5; ++i)
        connect_from(from + i, false, listener);
    for (std::uint16_t i = 5; i < 10; ++i) {
        connect_from(from + i, true, listener);
        connect_from(from + i, true, other);
    }
    connect_from(0, false, listener);
    connect_from(std::uint16_t(first_reserved + (from - first_bound) / 100), false, listener);
    ends.clients.push_back(tcp_socket(space.netns, kind.domain));
    bind_to(ends.clients.back(), kind, from + 10);
    space.bound.insert(from + 10);
    auto& in_range = make<Listener>(space.netns, Dest{kind.server, std::uint16_t(from + 11)});
    space.bound.insert(from + 11);
    open(space.netns, kind, in_range, ends, 10);
}

Space& make_space(unsigned hash_buckets = 0) {
    auto& netns = make<Netns>(hash_buckets);
    netns.sysctl("net.ipv4.tcp_max_tw_buckets", 1'000'000);
    netns.exec(
        {"sysctl", "-qw",
         fmt::format("net.ipv4.ip_local_reserved_ports={}-{}", first_reserved, last_reserved)});
    // leads nowhere: who connects there stays in SYN_SENT
    netns.ip({"route add 198.51.100.0/24 dev lo"});
    return make<Space>(netns);
}

void fill(Space& space, Ends& ends) {
    std::uint16_t from = first_bound;
    for (const auto& kind : kinds) { // first, or the kernel gives these ports away
        open_bound(space, kind, from, ends);
        from += 100;
    }
    for (const auto& kind : kinds)
        open_mixed(space, kind, ends);
    for (int i = 0; i < 5; ++i)
        ends.clients.push_back(connecting(space.netns, Dest{"198.51.100.1", 443}));
}

void check_space(const PortCount& counted, const Space& space) {
    const auto found = counted.spaces.find(space.netns.inode());
    check(found != counted.spaces.end(), "the namespace is known");
    const PortSpace& got = found->second;
    check_equal(got.low, low, "the range's first port");
    check_equal(got.high, high, "the range's last port");
    check_equal(got.reserved.all(), 100U, "reserved ports");
    check_equal(got.reserved.even, 50U, "even ones");
    unsigned even = 0, odd = 0;
    for (const auto port : space.bound)
        if (port < first_reserved || port > last_reserved)
            ++(port % 2 == 0 ? even : odd);
    check_equal(got.poisoned.even, even, "even poisoned ports");
    check_equal(got.poisoned.odd, odd, "odd poisoned ports");
}

void equals_ss() {
    Ends ends;
    std::vector<Space> spaces;
    for (int i = 0; i < 3; ++i) {
        auto& space = make_space();
        fill(space, ends);
        spaces.push_back(space);
    }
    const auto counted = check_equal_to_ss(spaces);
    for (const auto& space : spaces)
        check_space(counted, space);
}

/// With fewer buckets than are read at a time, and many sockets in each.
struct Table {
    const char* name;
    unsigned buckets;
};
constexpr Table tables[] = {{"small", 16}, {"usual", 4096}};

void equals_ss_in_a_table_of_its_own(const Table& table) {
    Ends ends;
    auto& space = make_space(table.buckets);
    fill(space, ends);
    check_space(check_equal_to_ss({space}), space);
}

/// Each connect takes the time of two passes or so.
void equals_ss_after_churn() {
    auto& space = make_space();
    auto& listener = serve(space, "127.0.0.1");
    auto& stop = make<Process>();
    stop.fork([&] {
        for (;;) {
            client_of(space.netns, kinds[0], listener).reset();
            listener.accept().reset();
        }
        return 0;
    });
    std::uint64_t torn = 0;
    await(
        [&] {
            const auto counted = pass();
            torn += counted.torn + counted.unreadable; // what is freed meanwhile may be either
            check_equal(counted.full, std::uint64_t{0}, "without room");
            const auto at = std::ranges::find_if(counted.tuples, [&](const TupleCount& tuple) {
                return tuple.key.netns == space.netns.inode();
            });
            return at != counted.tuples.end() && at->minis() >= many(2000);
        },
        "thousands of connections");
    stop.kill();
    note(fmt::format("{} torn chains meanwhile", torn));
    check_equal_to_ss({space});
}

/// Their own hash tables go with them, while they are read.
void outlives_namespaces() {
    auto& space = make_space();
    Ends ends;
    open(space.netns, kinds[0], serve(space, "127.0.0.1"), ends, 10);
    auto& maker = make<Process>();
    maker.fork([] {
        for (std::size_t i = 0; i < many(60) + 2; ++i) {
            Netns brief(2048);
            const Listener listener(brief, Dest{"127.0.0.1", 9000});
            const auto one = attempt(brief, listener.dest());
        }
        return 0;
    });
    unsigned passes = 0;
    while (!maker.wait(milliseconds(0))) {
        (void)pass();
        ++passes;
    }
    note(fmt::format("{} passes", passes));
    check_equal_to_ss({space});
}

/// Where a host has more tuples than are kept, those that matter are.
void leaves_small_tuples_out() {
    auto& space = make_space();
    Ends ends;
    auto& large = serve(space, "127.0.0.1");
    auto& small = serve(space, "127.0.0.1");
    open(space.netns, kinds[0], large, ends, 40);
    open(space.netns, kinds[0], small, ends, 10);
    const auto rows = [&](const PortCount& counted) {
        std::string text;
        for (const auto& tuple : counted.tuples)
            if (tuple.key.netns == space.netns.inode())
                text += fmt::format("{} {} {}", tuple.key.remote.text(), tuple.used.all(),
                                    tuple.is_partial ? "or more" : "in all");
        return text;
    };
    const auto first = pass(32);
    check_equal(rows(first), fmt::format("{} 9 or more", large.dest().text()), "at first");
    const auto second = pass(32);
    check_equal(rows(second), fmt::format("{} 40 in all", large.dest().text()), "from then on");
    check(second.left_out >= 10, "it is said");
}

} // namespace

TEST_GROUP(port_walk) {
    return Suite()
        .add("equals ss in mixed states", equals_ss)
        .each(tables, "equals ss in a hash table of its own", equals_ss_in_a_table_of_its_own)
        .add("equals ss after churn", equals_ss_after_churn)
        .add("outlives namespaces", outlives_namespaces)
        .add("leaves small tuples out", leaves_small_tuples_out)
        .run("port_walk");
}

} // namespace test_port_walk

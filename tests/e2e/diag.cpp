// SPDX-License-Identifier: Apache-2.0
// Promise: one socket is found, and destroyed, by its addresses and its cookie, in any network
// namespace, and never another one. Its reported state is what the socket itself reports
// (TCP_INFO).
#include "tests/e2e/diag_sockets.h"

#include <csignal>
#include <fcntl.h>
#include <linux/tcp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/netlink/destroy_probe.h"
#include "daemon/util/net_namespace.h"
#include "tests/harness/check.h"
#include "tests/harness/group.h"
#include "tests/harness/registry.h"
#include "tests/harness/suite.h"

namespace test_diag {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr std::uint16_t fixed_port = 23456;

Link* net = nullptr;

/// A server, and some connections of one kind to it.
struct Crowded {
    Link& link = *net;
    Listener listener;
    std::vector<Pair> pairs;

    explicit Crowded(const Kind& kind, std::size_t count = 1)
        : listener(link.server, Dest{kind.server, 0}) {
        while (pairs.size() < count)
            pairs.push_back(connect_pair(link.client, kind, listener));
    }
};

/// Packets from the client to the server are lost while this lives.
struct Silence {
    const Family& family;

    explicit Silence(const Kind& kind) : family(families[kind.server[0] == 'f' ? 1 : 0]) {
        silence(net->client, family);
    }
    ~Silence() { end_silence(net->client, family); }
    Silence(const Silence&) = delete;
    Silence& operator=(const Silence&) = delete;
};

/// A connection of each kind, kept open: on a new link the first IPv6 handshake takes seconds, and
/// a round trip that was measured then would make every retransmission as late.
void make_net() {
    net = &make<Link>(make_link());
    for (const auto& kind : kinds)
        make<Crowded>(kind);
}

ino_t inode_of(int fd) {
    struct stat status {};
    need(::fstat(fd, &status) == 0, "fstat");
    return status.st_ino;
}

ino_t own_namespace() {
    struct stat status {};
    need(::stat("/proc/thread-self/ns/net", &status) == 0, "stat /proc/thread-self/ns/net");
    return status.st_ino;
}

void check_facts(const TcpFacts& got, const Fd& socket) {
    tcp_info info{};
    socklen_t length = sizeof info;
    need(::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0, "TCP_INFO");
    check(got.given >= length, "all of tcp_info was given");
    check_equal(got.rto_us, info.tcpi_rto, "rto_us");
    check_equal(got.rtt_us, info.tcpi_rtt, "rtt_us");
    check_equal(got.snd_cwnd, info.tcpi_snd_cwnd, "snd_cwnd");
    check_equal(got.snd_wnd, info.tcpi_snd_wnd, "snd_wnd");
    check_equal(got.bytes_acked, info.tcpi_bytes_acked, "bytes_acked");
    check_equal(got.bytes_received, info.tcpi_bytes_received, "bytes_received");
    check_equal(got.unacked + got.retransmits + got.total_retrans, 0U, "nothing is in flight");
    check(got.last_ack_recv_ms <= info.tcpi_last_ack_recv, "the last acknowledgement");
    check(got.last_data_recv_ms <= info.tcpi_last_data_recv, "the last data received");
    check(got.last_data_sent_ms <= info.tcpi_last_data_sent, "the last data sent");
}

void finds_the_one(const Kind& kind) {
    auto& scene = make<Crowded>(kind, 50);
    auto diag = diag_in(scene.link.client);
    const auto& wanted = scene.pairs[31];
    check_alive(wanted);
    await_equal([&] { return must_find(diag, key_of(wanted.client)).tcp.unacked; }, 0U,
                "what was sent is acknowledged");
    const auto found = must_find(diag, key_of(wanted.client));
    check(found.key == key_of(wanted.client), "it is the socket that was asked for");
    check(found.state == TcpState::established, "its state");
    check_equal(found.inode, inode_of(wanted.client.get()), "its inode");
    check_equal(found.uid, ::geteuid(), "its user");
    check_equal(found.v6_socket, kind.domain == AF_INET6, "an AF_INET6 socket");
    check(found.timer == TcpTimer::off || found.timer == TcpTimer::delayed_ack, "no timer runs");
    check_facts(found.tcp, wanted.client);
    check_equal(found.tcp.bytes_received, 1U, "bytes received");
    check_equal(own_namespace(), inode_of(Netns::own().fd()), "the thread is back at home");
}

void tells_of_retransmissions(const Kind& kind) {
    auto& scene = make<Crowded>(kind);
    const auto& pair = scene.pairs.front();
    check_alive(pair);
    auto diag = diag_in(scene.link.client);
    const auto key = key_of(pair.client);
    make<Silence>(kind);
    need(::send(pair.client.get(), "lost", 4, MSG_NOSIGNAL) == 4, "send into the void");
    DiagSocket found;
    const auto retransmitting = [&] {
        found = must_find(diag, key);
        return found.tcp.retransmits >= 2 && found.timer == TcpTimer::retransmit;
    };
    await(retransmitting, "two retransmissions");
    check(found.timer_retransmits + 1 >= found.tcp.retransmits, "the timer's count");
    check(found.timer_expires_ms <= found.tcp.rto_us / 1000, "it expires within the RTO");
    check_equal(found.tcp.unacked, 1U, "segments in flight");
    check(found.tcp.total_retrans >= 2 && found.tcp.backoff >= 1, "total_retrans, backoff");
    check(found.tcp.last_ack_recv_ms >= 200, "no acknowledgement for an RTO");
}

void tells_of_keepalive(const Kind& kind) {
    auto& scene = make<Crowded>(kind);
    const auto& socket = scene.pairs.front().client;
    set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 1000);
    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    auto diag = diag_in(scene.link.client);
    const auto found = must_find(diag, key_of(socket));
    check(found.timer == TcpTimer::keepalive, "the keepalive timer runs");
    check(found.timer_expires_ms > 900'000 && found.timer_expires_ms <= 1'001'000,
          fmt::format("it expires in 1000 s, not {} ms", found.timer_expires_ms));
}

/// Another socket takes the addresses of one that was closed.
void stale_cookie_hits_nobody(const Kind& kind) {
    auto& scene = make<Crowded>(kind, 0);
    auto first = connect_pair(scene.link.client, kind, scene.listener, fixed_port);
    auto diag = diag_in(scene.link.client);
    const auto stale = key_of(first.client);
    must_find(diag, stale);
    abort_connection(first.client);
    check_gone(diag, stale);
    const auto second = connect_pair(scene.link.client, kind, scene.listener, fixed_port);
    auto key = key_of(second.client);
    check(key.local == stale.local && key.remote == stale.remote, "the addresses are the same");
    check_gone(diag, stale);
    check_alive(second);
    check(must_find(diag, key).key == key, "the other socket is found by its own cookie");
    for (const auto cookie : {std::uint64_t{0}, ~std::uint64_t{0}}) {
        key.cookie = cookie;
        check(!diag.find(key) && !diag.destroy(key), "a key that fits any socket is refused");
    }
    check_alive(second);
}

/// TIME_WAIT keeps the socket's cookie; it is what protects its port, not a flow.
void time_wait_is_left_alone(const Kind& kind) {
    auto& scene = make<Crowded>(kind);
    auto& pair = scene.pairs.front();
    auto diag = diag_in(scene.link.client);
    const auto key = key_of(pair.client);
    pair.client.reset();
    pair.server.reset();
    await([&] { return must_find(diag, key).state == TcpState::time_wait; }, "TIME_WAIT");
    for (int i = 0; i < 2; ++i) {
        const auto destroyed = diag.destroy(key);
        check(destroyed.has_value(), destroyed ? "" : destroyed.error().text());
        check(*destroyed == Destroyed::already_gone, "the socket is gone already");
    }
    const auto left = must_find(diag, key);
    check(left.state == TcpState::time_wait && left.timer == TcpTimer::time_wait, "what is left");
    check_equal(left.tcp.given + left.inode, 0U, "facts of TIME_WAIT");
}

/// True once the process sleeps in read(2).
bool is_reading(pid_t pid) {
    const auto call = read_file(fmt::format("/proc/{}/syscall", pid));
    return call.starts_with(fmt::format("{} ", SYS_read));
}

void destroyed_socket_wakes_its_reader(const Kind& kind) {
    auto& scene = make<Crowded>(kind, 20);
    const auto& victim = scene.pairs[7];
    auto& reader = make<Process>();
    reader.fork([&victim] {
        char byte = 0;
        return ::read(victim.client.get(), &byte, 1) < 0 ? errno : 0;
    });
    await([&] { return is_reading(reader.pid()); }, "the reader blocks");
    auto diag = diag_in(scene.link.client);
    const auto key = key_of(victim.client);
    const auto destroyed = diag.destroy(key);
    check(destroyed.has_value(), destroyed ? "" : destroyed.error().text());
    check(*destroyed == Destroyed::destroyed, "it was destroyed");
    check_errno(reader.wait().value_or(0), ECONNABORTED, "what the reader's read() says");
    char byte = 0;
    check(::read(victim.server.get(), &byte, 1) < 0, "the peer's connection is over");
    check_errno(errno, ECONNRESET, "what the peer's read() says");
    check_gone(diag, key);
    for (const auto& pair : scene.pairs)
        if (&pair != &victim)
            check_alive(pair);
    check_alive(connect_pair(scene.link.client, kind, scene.listener));
}

void namespaces_are_apart(const Kind& kind) {
    auto& scene = make<Crowded>(kind);
    const auto& pair = scene.pairs.front();
    auto client = diag_in(scene.link.client);
    auto server = diag_in(scene.link.server);
    auto here = diag_in(Netns::own());
    const auto client_key = key_of(pair.client), server_key = key_of(pair.server);
    check(must_find(server, server_key).key == server_key, "the server's end, where it is");
    check_gone(server, client_key);
    check_gone(client, server_key);
    check_gone(here, client_key);
    check_alive(pair);
}

/// The kernel needs the interface that a socket is bound to in the request.
void bound_to_an_interface(const Kind& kind) {
    auto& scene = make<Crowded>(kind, 0);
    Fd socket = tcp_socket(scene.link.client, kind.domain);
    need(::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, "c0", 2) == 0, "SO_BINDTODEVICE");
    check_errno(connect_errno(socket, scene.listener.dest()), 0, "connect");
    const Pair pair{std::move(socket), scene.listener.accept()};
    auto diag = diag_in(scene.link.client);
    auto key = key_of(pair.client);
    check_gone(diag, key);
    const auto remote = key.remote;
    const auto list = diag.flows_to(remote.address, remote.port, 10);
    check(list.has_value() && list->flows.size() == 1, "the list has it");
    key.interface_index = list->flows.front().key.interface_index;
    check(key.interface_index != 0, "the list tells the interface");
    check(must_find(diag, key).key == key, "it is found with its interface");
    check_alive(pair);
}

void no_privilege_is_said(const Kind& kind) {
    auto& scene = make<Crowded>(kind);
    const auto& pair = scene.pairs.front();
    auto diag = diag_in(scene.link.client);
    const auto key = key_of(pair.client);
    as_nobody([&] {
        must_find(diag, key);
        const auto destroyed = diag.destroy(key);
        check(!destroyed.has_value(), "nobody may not destroy a socket");
        check_errno(destroyed.error().errno_value(), EPERM, "why");
        check(destroyed.error().hint().find("CAP_NET_ADMIN") != std::string::npos, "what to do");
        check(!netlink::Diag::open(Netns::own().fd()), "nobody may not enter a namespace");
        check(!netlink::try_destroy(), "the probe says so");
    });
    check_alive(pair);
}

void probe_says_yes() {
    const auto can = netlink::try_destroy();
    check(can.has_value(), can ? "" : can.error().text());
}

void no_namespace() {
    const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const auto diag = netlink::Diag::open(null.get());
    check(!diag.has_value(), "/dev/null is no network namespace");
    check_errno(diag.error().errno_value(), EINVAL, "why");
}

void thread_comes_back() {
    auto& elsewhere = make<Netns>();
    const auto home = own_namespace();
    ino_t there = 0;
    check(in_net_namespace(elsewhere.fd(), [&] { there = own_namespace(); }).has_value(), "went");
    check_equal(there, inode_of(elsewhere.fd()), "where it went");
    check_equal(own_namespace(), home, "where it is after");
    bool caught = false;
    try {
        static_cast<void>(in_net_namespace(elsewhere.fd(), [] { throw 1; }));
    } catch (int) {
        caught = true;
    }
    check(caught, "what is thrown there arrives");
    check_equal(own_namespace(), home, "where it is after that");
}

void lost_thread_ends_the_process() {
    auto& elsewhere = make<Netns>();
    auto& child = make<Process>();
    child.fork([&] {
        static_cast<void>(in_net_namespace(elsewhere.fd(), become_nobody));
        return 0;
    });
    check_equal(child.wait().value_or(-1), 128 + SIGABRT, "how the process ended");
}

} // namespace

TEST_GROUP(diag) {
    return Suite()
        .shared(make_net)
        .each(kinds, "the one socket is found among many", finds_the_one)
        .each(kinds, "retransmissions are told", tells_of_retransmissions)
        .each(kinds, "the keepalive timer is told", tells_of_keepalive)
        .each(kinds, "a stale cookie hits nobody", stale_cookie_hits_nobody)
        .each(kinds, "TIME_WAIT is left alone", time_wait_is_left_alone)
        .each(kinds, "a destroyed socket wakes its reader, resets its peer, hits no other",
              destroyed_socket_wakes_its_reader)
        .each(kinds, "namespaces are apart", namespaces_are_apart)
        .each(kinds, "a socket bound to an interface", bound_to_an_interface)
        .each(kinds, "no privilege is said, with what to do", no_privilege_is_said)
        .add("the probe of SOCK_DESTROY says yes", probe_says_yes)
        .add("no namespace is an error", no_namespace)
        .add("the thread comes back from a namespace", thread_comes_back)
        .add("a thread that cannot come back ends the process", lost_thread_ends_the_process)
        .run("diag");
}

} // namespace test_diag

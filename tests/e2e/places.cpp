// SPDX-License-Identifier: Apache-2.0
// Promise: a place is free the moment its connection is over, however that ends, and no sweep and
// no tracing program is needed for it: the kernel leaves those out that are already running.
#include "tests/e2e/kernel_objects.h"
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <cerrno>
#include <cstdio>
#include <map>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace test_places {

using namespace ballast;
using namespace ballast::test;

namespace {

Scene* scene = nullptr;
std::map<std::string, Fd> adopted; ///< older than Ballast's rule, by the family's name
std::map<std::string, Dest> adopted_dests;
std::map<std::string, Fd> adopted_peers;

const Netns& client() {
    return scene->link.client;
}

/// One place for every destination. A refusal is EAGAIN, which the peer cannot cause.
std::string one_place(const std::string& mode) {
    return policy({{.limit = 1, .mode = mode, .on_limit = "again"}},
                  "sweep_interval = \"1h\"\ndaemon_grace = 0");
}

/// Whether the destination has a place for one more, which is given back at once.
bool has_place(const Dest& dest) {
    Fd socket = tcp_socket(client(), dest.v4() ? AF_INET : AF_INET6, SOCK_NONBLOCK);
    const int error = connect_errno(socket, dest);
    if (error != EAGAIN)
        check_errno(error, EINPROGRESS, "connect to " + dest.text());
    abort_connection(socket);
    return error == EINPROGRESS;
}

void taken(const Dest& dest, Where where = Where::current()) {
    check(!has_place(dest), "the connection holds the one place", where);
}

void is_free(const Dest& dest, Where where = Where::current()) {
    check(has_place(dest), "the place is free at once", where);
    check(has_place(dest), "and again", where);
}

void lives_as(const Dest& dest, const std::string& state, Where where = Where::current()) {
    await_equal([&] { return ss_count(client().fd(), dest, state); }, 1U, "sockets in " + state,
                where);
}

/// For what the network decides: the place is free once the socket is gone.
void is_free_when_over(const Dest& dest, Where where = Where::current()) {
    await_equal([&] { return ss_held(client().fd(), dest); }, 0U, "sockets that hold a place",
                where);
    is_free(dest, where);
}

Dest fresh(const char* host) {
    static std::uint16_t port = 24000;
    return {host, ++port};
}

struct Pair {
    Dest dest;
    Fd& near;
    Fd& far;
};

Pair connected(const Family& family) {
    auto& server = make<Listener>(scene->link.server, Dest{family.server, 0});
    auto& near = make<Fd>(attempt(client(), server.dest()).socket);
    check(static_cast<bool>(near), "connected");
    auto& far = make<Fd>(server.accept());
    taken(server.dest());
    return {server.dest(), near, far};
}

/// The daemon dies, and with it and their pins the tracing programs that release.
void remove_tracing(Ballastd& ballastd) {
    ballastd.crash();
    const auto before = objects_of(ballastd);
    for (const char* program : {"set_state", "destroy"})
        need(::unlink((ballastd.bpffs() + "/link_" + program).c_str()) == 0 || errno == ENOENT,
             "unlink a pin");
    const auto after = objects_of(ballastd);
    KernelObjects removed;
    for (const auto& object : before)
        if (!after.contains(object))
            removed.insert(object);
    await_gone(removed);
}

void open_older(const Family& family) {
    auto& server = make<Listener>(scene->link.server, Dest{family.server, 0});
    adopted_dests[family.name] = server.dest();
    adopted[family.name] = attempt(client(), server.dest()).socket;
    adopted_peers[family.name] = server.accept();
}

void make_untraced() {
    scene = &make_scene(one_place("off"));
    for (const auto& family : families)
        open_older(family);
    scene->ballastd.enforce(one_place("enforce"));
    for (const auto& family : families)
        await_in_use(scene->ballastd, adopted_dests.at(family.name), 1);
    remove_tracing(scene->ballastd);
}

void closed_in_syn_sent(const Family& family) {
    const auto dest = fresh(family.silent);
    auto& socket = make<Fd>(connecting(client(), dest));
    taken(dest);
    socket.reset();
    is_free(dest);
}

void refused_by_peer(const Family& family) {
    const auto dest = fresh(family.server);
    auto& socket = make<Fd>(tcp_socket(client(), family.domain));
    check_errno(connect_errno(socket, dest), ECONNREFUSED, "connect to a closed port");
    is_free(dest);
}

void times_out(const Family& family) {
    const auto dest = fresh(family.silent);
    auto& socket = make<Fd>(tcp_socket(client(), family.domain));
    set_option(socket, IPPROTO_TCP, TCP_SYNCNT, 1);
    set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 500);
    check_errno(connect_errno(socket, dest), ETIMEDOUT, "connect to a silent destination");
    is_free(dest);
}

void no_route(const Family& family) {
    const auto dest = fresh(family.unrouted);
    for (int i = 0; i < 3; ++i)
        check_errno(attempt(client(), dest).error, ENETUNREACH, "connect without a route");
}

/// The port that connect() would take is bound: it fails between SYN_SENT and the SYN.
void no_port(const Family& family) {
    const auto dest = fresh(family.server);
    const auto range = [](const char* ports) {
        client().exec({"sysctl", "-qw", fmt::format("net.ipv4.ip_local_port_range={}", ports)});
    };
    auto& holder = make<Fd>(tcp_socket(client(), family.domain));
    const SocketAddress own(Dest{family.client, 39999}, family.domain);
    need(::bind(holder.get(), own.get(), own.length) == 0, "bind");
    auto& socket = make<Fd>(tcp_socket(client(), family.domain));
    range("39999 39999");
    const int error = connect_errno(socket, dest);
    range("32768 60999");
    check_errno(error, EADDRNOTAVAIL, "connect without a port");
    socket.reset();
    is_free(dest);
}

void peer_resets(const Family& family) {
    auto pair = connected(family);
    abort_connection(pair.far);
    check(wait_fd(pair.near.get(), POLLHUP, Clock::now() + patience()), "the reset came");
    is_free(pair.dest);
}

void resets(const Family& family) {
    auto pair = connected(family);
    abort_connection(pair.near);
    is_free(pair.dest);
}

void closes_first(const Family& family) {
    auto pair = connected(family);
    pair.near.reset();
    pair.far.reset();
    lives_as(pair.dest, "TIME-WAIT");
    is_free(pair.dest);
}

void closes_last(const Family& family) {
    auto pair = connected(family);
    pair.far.reset();
    lives_as(pair.dest, "CLOSE-WAIT");
    taken(pair.dest);
    pair.near.reset();
    is_free_when_over(pair.dest);
}

void orphan(const Family& family) {
    auto pair = connected(family);
    silence(client(), family);
    pair.near.reset();
    lives_as(pair.dest, "FIN-WAIT-1");
    taken(pair.dest);
    end_silence(client(), family);
    pair.far.reset();
    is_free_when_over(pair.dest);
}

void destroyed(const Family& family) {
    auto pair = connected(family);
    client().exec({"ss", "-K", "dst", pair.dest.text()});
    check(wait_fd(pair.near.get(), POLLHUP, Clock::now() + patience()), "it was destroyed");
    is_free(pair.dest);
}

void disconnects(const Family& family) {
    auto pair = connected(family);
    sockaddr unspecified{};
    unspecified.sa_family = AF_UNSPEC;
    need(::connect(pair.near.get(), &unspecified, sizeof unspecified) == 0, "connect(AF_UNSPEC)");
    is_free(pair.dest);
    auto& other = make<Listener>(scene->link.server, Dest{family.server, 0});
    check_errno(connect_errno(pair.near, other.dest()), 0, "connect after AF_UNSPEC");
    taken(other.dest());
    abort_connection(pair.near);
    is_free(other.dest());
}

void shared_by_fork(const Family& family) {
    auto pair = connected(family);
    auto& child = make<Process>();
    child.fork([&pair] {
        pair.far.reset(); // the child's own copy
        return ::pause();
    });
    pair.near.reset();
    pair.far.reset();
    lives_as(pair.dest, "CLOSE-WAIT");
    taken(pair.dest);
    child.kill();
    is_free_when_over(pair.dest);
}

void older_than_the_rule(const Family& family) {
    const auto& dest = adopted_dests.at(family.name);
    taken(dest);
    abort_connection(adopted_peers.at(family.name));
    check(wait_fd(adopted.at(family.name).get(), POLLHUP, Clock::now() + patience()),
          "the reset came");
    is_free(dest);
}

/// TCP_BPF_SOCK_OPS_CB_FLAGS came with Linux 6.12.
void needs_watching() {
    utsname kernel{};
    need(::uname(&kernel) == 0, "uname");
    unsigned major = 0, minor = 0;
    need(std::sscanf(kernel.release, "%u.%u", &major, &minor) == 2, "the kernel's version");
    if (std::pair(major, minor) < std::pair(6U, 12U))
        skip_kernel_lacks("older sockets watched by sockops");
}

struct Ending {
    const char* name;
    void (*run)(const Family& family);
    bool adopted; ///< takes a kernel on which a sweep can have a socket watched
};

constexpr Ending endings[] = {
    {"closed in SYN_SENT", closed_in_syn_sent, false},
    {"refused by the peer", refused_by_peer, false},
    {"a connect that times out", times_out, false},
    {"no route, closed", no_route, false},
    {"no port, closed", no_port, false},
    {"the peer resets", peer_resets, false},
    {"closed with a reset", resets, false},
    {"closed first: TIME_WAIT holds no place", closes_first, false},
    {"closed last", closes_last, false},
    {"an orphan in FIN_WAIT1 holds its place", orphan, false},
    {"SOCK_DESTROY", destroyed, false},
    {"AF_UNSPEC, then a second connect", disconnects, false},
    {"shared by fork", shared_by_fork, false},
    {"older than the rule", older_than_the_rule, true},
};

int run_untraced() {
    Suite suite;
    suite.shared(make_untraced);
    for (const auto& ending : endings) {
        const auto name = fmt::format("untraced: {}", ending.name);
        suite.each(families, name, [ending](const Family& family) {
            if (ending.adopted)
                needs_watching();
            ending.run(family);
        });
    }
    return suite.run("places");
}

} // namespace

TEST_GROUP(places) {
    return run_untraced();
}

} // namespace test_places

// SPDX-License-Identifier: Apache-2.0
// Promise: the count is right after each way in which a connection can end, killed processes and
// shared sockets included.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace test_lives_close {

using namespace ballast;
using namespace ballast::test;

namespace {

Scene* scene = nullptr;

const Netns& client() {
    return scene->link.client;
}

void in_use(const Dest& dest, long wanted, Where where = Where::current()) {
    await_in_use(scene->ballastd, dest, wanted, where);
}

/// Both ends of one connection.
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
    in_use(server.dest(), 1);
    return {server.dest(), near, far};
}

void state_is(const Pair& pair, const std::string& state, Where where = Where::current()) {
    await_equal([&] { return ss_count(client().fd(), pair.dest, state); }, 1U,
                "sockets in " + state, where);
}

void peer_closes(const Family& family) {
    auto pair = connected(family);
    pair.far.reset();
    state_is(pair, "CLOSE-WAIT");
    in_use(pair.dest, 1);
    pair.near.reset();
    in_use(pair.dest, 0);
}

void peer_resets(const Family& family) {
    auto pair = connected(family);
    abort_connection(pair.far);
    in_use(pair.dest, 0);
    pair.near.reset();
    in_use(pair.dest, 0);
}

void resets(const Family& family) {
    auto pair = connected(family);
    abort_connection(pair.near);
    in_use(pair.dest, 0);
}

/// TIME_WAIT holds no place.
void closes_first(const Family& family) {
    auto pair = connected(family);
    pair.near.reset();
    pair.far.reset();
    state_is(pair, "TIME-WAIT");
    in_use(pair.dest, 0);
}

void half_closed_counts(const Family& family) {
    auto pair = connected(family);
    ::shutdown(pair.near.get(), SHUT_WR);
    state_is(pair, "FIN-WAIT-2");
    in_use(pair.dest, 1);
    pair.near.reset();
    in_use(pair.dest, 0);
}

void shut_down_both_ways(const Family& family) {
    auto pair = connected(family);
    ::shutdown(pair.near.get(), SHUT_RDWR);
    pair.far.reset();
    in_use(pair.dest, 0);
    pair.near.reset();
    in_use(pair.dest, 0);
}

/// Nobody answers the FIN, so the socket lives on without an owner.
void orphan_in_fin_wait_1(const Family& family) {
    auto pair = connected(family);
    silence(client(), family);
    pair.near.reset();
    state_is(pair, "FIN-WAIT-1");
    in_use(pair.dest, 1);
    end_silence(client(), family);
    pair.far.reset();
    in_use(pair.dest, 0);
}

void disconnects(const Family& family) {
    auto pair = connected(family);
    sockaddr unspecified{};
    unspecified.sa_family = AF_UNSPEC;
    check_errno(::connect(pair.near.get(), &unspecified, sizeof unspecified) == 0 ? 0 : errno, 0,
                "connect to AF_UNSPEC");
    in_use(pair.dest, 0);
    auto& other = make<Listener>(scene->link.server, Dest{family.server, 0});
    check_errno(connect_errno(pair.near, other.dest()), 0, "connect after AF_UNSPEC");
    in_use(other.dest(), 1);
    pair.near.reset();
    in_use(other.dest(), 0);
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
    state_is(pair, "CLOSE-WAIT");
    in_use(pair.dest, 1);
    child.kill();
    in_use(pair.dest, 0);
}

void duplicated(const Family& family) {
    auto pair = connected(family);
    auto& copy = make<Fd>(::dup(pair.near.get()));
    pair.near.reset();
    pair.far.reset();
    state_is(pair, "CLOSE-WAIT");
    in_use(pair.dest, 1);
    copy.reset();
    in_use(pair.dest, 0);
}

/// States in which SIGKILL finds a socket; `reach` brings a connection of the child there.
struct Death {
    const char* name;
    const char* state;
    bool silent;                ///< connects to a destination that answers nothing
    void (*child)(int socket);  ///< what the child does once it is connected
    void (*peer)(Fd& accepted); ///< what the other end does
    bool peer_has_to_close;     ///< before the connection is over
};

void nothing(int /*socket*/) {}
void nothing_there(Fd& /*accepted*/) {}

constexpr Death deaths[] = {
    {"SYN_SENT", "SYN-SENT", true, nothing, nothing_there, false},
    {"ESTABLISHED", "ESTAB", false, nothing, nothing_there, true},
    {"FIN_WAIT2", "FIN-WAIT-2", false, [](int socket) { ::shutdown(socket, SHUT_WR); },
     nothing_there, false},
    {"CLOSE_WAIT", "CLOSE-WAIT", false, nothing, [](Fd& accepted) { accepted.reset(); }, false},
};

int live_until_killed(const Death& death, const Dest& dest, int connected) {
    Fd socket;
    if (death.silent) {
        socket = connecting(client(), dest);
    } else {
        socket = attempt(client(), dest).socket;
        check(static_cast<bool>(socket), "connected");
    }
    death.child(socket.get());
    ::eventfd_write(connected, 1);
    return ::pause();
}

void killed(const Death& death, const Family& family) {
    static std::uint16_t port = 30000;
    auto& server = make<Listener>(scene->link.server, Dest{family.server, ++port});
    const Dest dest = death.silent ? Dest{family.silent, port} : server.dest();
    auto& ready = make<Fd>(::eventfd(0, EFD_CLOEXEC));
    auto& child = make<Process>();
    child.fork([&] { return live_until_killed(death, dest, ready.get()); });
    check(wait_fd(ready.get(), POLLIN, Clock::now() + patience()), "the child got there");
    auto& accepted = make<Fd>();
    if (!death.silent)
        accepted = server.accept();
    death.peer(accepted);
    await_equal([&] { return ss_count(client().fd(), dest, death.state); }, 1U, death.state);
    in_use(dest, 1);
    child.kill();
    if (death.peer_has_to_close)
        accepted.reset();
    in_use(dest, 0);
}

void nothing_was_repaired() {
    check_no_repairs(scene->ballastd);
}

} // namespace

TEST_GROUP(lives_close) {
    Suite suite;
    suite.shared([] { scene = &make_scene(limit_policy(10)); })
        .each(families, "the peer closes first", peer_closes)
        .each(families, "the peer resets", peer_resets)
        .each(families, "closed with a reset", resets)
        .each(families, "TIME_WAIT holds no place", closes_first)
        .each(families, "half closed counts", half_closed_counts)
        .each(families, "shut down both ways", shut_down_both_ways)
        .each(families, "an orphan in FIN_WAIT1 counts", orphan_in_fin_wait_1)
        .each(families, "AF_UNSPEC disconnects", disconnects)
        .each(families, "shared by fork: the last copy releases", shared_by_fork)
        .each(families, "duplicated: the last copy releases", duplicated);
    for (const auto& death : deaths)
        suite.each(families, fmt::format("killed in {}", death.name),
                   [death](const Family& family) { killed(death, family); });
    return suite.add("no sweep had to repair anything", nothing_was_repaired).run("lives_close");
}

} // namespace test_lives_close

// SPDX-License-Identifier: Apache-2.0
// Promise: after a crowd of processes, which preempt each other in whatever the kernel runs, the
// count is right at once: no place belongs to nobody until a sweep has found that.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>

namespace test_places_crowd {

using namespace ballast;
using namespace ballast::test;

namespace {

Scene* scene = nullptr;

constexpr unsigned limit = 12;
constexpr unsigned held = 3;
constexpr unsigned processes = 16;

/// Under emulation it takes its time, but loses far more of the tracing programs' runs.
unsigned connections() {
    return std::getenv("BALLAST_VM") != nullptr ? 1'500 : 60'000;
}

struct Tally {
    std::atomic<unsigned> left{0};
    std::atomic<unsigned> admitted{0};
    std::atomic<unsigned> surprises{0};
    std::atomic<int> surprise{0};
};

Tally& shared_tally() {
    void* memory =
        ::mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(memory != MAP_FAILED, "mmap");
    return *new (memory) Tally;
}

/// Ends one connection: with a reset, or after the server has closed its end, so that it is over in
/// whatever thread the last acknowledgement interrupts.
void end_one(Fd& socket, unsigned turn) {
    char byte = 0;
    if (turn % 4 == 0 || ::recv(socket.get(), &byte, 1, 0) != 0)
        abort_connection(socket);
    socket.reset();
}

/// Begins one connection; the errno of a refusal, or 0.
int begin_and_end(const Dest& dest, unsigned turn) {
    const int domain = dest.v4() ? AF_INET : AF_INET6;
    const int flags = turn % 4 == 1 ? SOCK_NONBLOCK : 0; // closed in SYN_SENT
    Fd socket(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
    const int error = connect_errno(socket, dest);
    // A port that is used again at once meets what the server has left of its last connection.
    const bool is_reset = error == ECONNRESET || error == ECONNREFUSED;
    if (error == 0 || error == EINPROGRESS || is_reset)
        end_one(socket, turn);
    return error == EINPROGRESS || is_reset ? 0 : error;
}

int storm(const Dest& dest, Tally& tally) {
    need(::setns(scene->link.client.fd(), CLONE_NEWNET) == 0, "setns");
    for (unsigned turn = 0; tally.left.load() > 0; ++turn) {
        const int error = begin_and_end(dest, turn);
        if (error == EAGAIN) {
            ::sched_yield();
            continue;
        }
        if (error != 0) {
            tally.surprises.fetch_add(1);
            tally.surprise = error;
        }
        tally.admitted.fetch_add(1);
        auto left = tally.left.load();
        while (left > 0 && !tally.left.compare_exchange_weak(left, left - 1)) {
        }
    }
    return 0;
}

/// Closes whatever comes.
int close_all(const Listener& server) {
    for (;;)
        const Fd socket(::accept4(server.socket().get(), nullptr, nullptr, SOCK_CLOEXEC));
}

/// Connections that stay open while the crowd comes and goes.
void hold_some(Listener& server) {
    open_connections(scene->link.client, server.dest(), held);
    for (unsigned i = 0; i < held; ++i)
        make<Fd>(server.accept());
}

void run_storm(Listener& server, Tally& tally) {
    tally.left = connections();
    auto& closer = make<Process>();
    closer.fork([&] { return close_all(server); });
    std::vector<Process*> crowd;
    for (unsigned i = 0; i < processes; ++i) {
        crowd.push_back(&make<Process>());
        crowd.back()->fork([&] { return storm(server.dest(), tally); });
    }
    for (auto* process : crowd)
        check(process->wait(patience(std::chrono::seconds(90))) == 0, "a process of the crowd");
    closer.kill();
}

void crowd_leaves_nothing(const Family& family) {
    scene = &make_scene(policy({{.limit = limit, .on_limit = "again"}}, "sweep_interval = \"1h\""));
    auto& server = serve(*scene, family);
    hold_some(server);
    auto& tally = shared_tally();
    run_storm(server, tally);
    await_equal([&] { return ss_held(scene->link.client.fd(), server.dest()); }, held,
                "sockets that are open");
    const long counted = scene->ballastd.in_use(server.dest());
    const auto open = ss_held(scene->link.client.fd(), server.dest());
    const auto status = scene->ballastd.status();
    note(fmt::format("{} connections by {} processes, {} runs of programs left out, {} open, {} "
                     "counted",
                     tally.admitted.load(), processes,
                     status.at("hooks").value("recursion_misses", 0L), open, counted));
    check_equal(tally.surprises.load(), 0U,
                "outcomes other than success, a reset and Ballast's refusal, such as " +
                    errno_text(tally.surprise.load()));
    check_equal(counted, long{held}, "in_use, at once");
    check_equal(status.at("sweep").at("repairs").get<long>(), 0L, "repaired by sweeps");
    ::munmap(&tally, sizeof(Tally));
}

} // namespace

TEST_GROUP(places_crowd) {
    return Suite()
        .each(families, "a crowd of processes leaves no place behind", crowd_leaves_nothing)
        .run("places_crowd");
}

} // namespace test_places_crowd

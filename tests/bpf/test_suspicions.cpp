// SPDX-License-Identifier: Apache-2.0
// What the programs tell of flows that may be half-open, from real sockets.
#include <cstdlib>
#include <memory>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/tcp.h>
#include <poll.h>

#include "ballast.skel.h"
#include "bpf/abi.h"
#include "tests/harness/check.h"
#include "tests/harness/group.h"
#include "tests/harness/netns.h"
#include "tests/harness/registry.h"
#include "tests/harness/sockets.h"
#include "tests/harness/suite.h"
#include "tests/harness/wait.h"

namespace test_suspicions {

using namespace ballast;
using namespace ballast::test;

namespace {

/// Shorter than the kernel's first retransmission takes, with jiffies of any length.
constexpr __u32 few_jiffies = 10;
constexpr __u32 by_default = 6;

struct Destroy {
    void operator()(ballast_bpf* skeleton) const { ballast_bpf::destroy(skeleton); }
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
    void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};

/// The programs at work, and what they told of the flows of one link.
class Told {
public:
    Told() : skeleton_(ballast_bpf::open_and_load()) {
        check(skeleton_ != nullptr, "the programs are loaded");
        watch(by_default);
        for (bpf_program* program :
             {skeleton_->progs.ballast_retransmit, skeleton_->progs.ballast_reset,
              skeleton_->progs.ballast_error}) {
            links_.emplace_back(bpf_program__attach(program));
            check(links_.back() != nullptr, "a program is attached");
        }
        ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.suspicions), take, this, nullptr));
        check(ring_ != nullptr, "the ring buffer is open");
    }

    void watch(__u32 until, __u32 after = few_jiffies) {
        const __u32 first = 0;
        ballast_control control{};
        control.suspect_after = after;
        control.suspect_until = until;
        need(bpf_map_update_elem(bpf_map__fd(skeleton_->maps.control), &first, &control, 0) == 0,
             "update of map control");
    }

    /// Those of that flow, once there are so many.
    std::vector<ballast_suspicion> await_records(std::size_t count, std::uint16_t local_port) {
        await([&] { return of(local_port).size() >= count; }, fmt::format("{} records", count));
        return of(local_port);
    }

    std::vector<ballast_suspicion> of(std::uint16_t local_port) {
        ring_buffer__consume(ring_.get());
        std::vector<ballast_suspicion> found;
        for (const auto& record : records_)
            if (record.local_port == local_port)
                found.push_back(record);
        return found;
    }

    std::uint64_t runs() const {
        std::uint64_t sum = 0;
        for (const bpf_program* program :
             {skeleton_->progs.ballast_retransmit, skeleton_->progs.ballast_reset,
              skeleton_->progs.ballast_error}) {
            bpf_prog_info info{};
            __u32 length = sizeof info;
            need(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length) == 0, "info");
            sum += info.run_cnt;
        }
        return sum;
    }

private:
    static int take(void* self, void* data, std::size_t) {
        static_cast<Told*>(self)->records_.push_back(*static_cast<ballast_suspicion*>(data));
        return 0;
    }

    std::unique_ptr<ballast_bpf, Destroy> skeleton_;
    std::vector<std::unique_ptr<bpf_link, Destroy>> links_;
    std::unique_ptr<ring_buffer, Destroy> ring_;
    std::vector<ballast_suspicion> records_;
};

std::uint16_t local_port(const Fd& socket) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    need(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &length) == 0,
         "getsockname");
    return ntohs(storage.ss_family == AF_INET
                     ? reinterpret_cast<const sockaddr_in*>(&storage)->sin_port
                     : reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
}

void say(const Fd& socket, std::string_view what = "x") {
    need(::send(socket.get(), what.data(), what.size(), MSG_NOSIGNAL) > 0, "send");
}

char hear(const Fd& socket) {
    char got = 0;
    need(::recv(socket.get(), &got, 1, 0) == 1, "recv");
    return got;
}

tcp_info info_of(const Fd& socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    need(::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0, "TCP_INFO");
    return info;
}

/// A byte there and one back.
void exchange(const Fd& client, const Fd& server) {
    say(client);
    hear(server);
    say(server);
    hear(client);
}

/// An established connection, both ends, which has been used.
struct Pair {
    Link link;
    Told& told;
    Fd client;
    Fd server;
    std::uint16_t port; ///< the client's
};

Pair& connected(const Family& family) {
    const auto link = make_link();
    auto& told = make<Told>();
    auto& listener = make<Listener>(link.server, Dest{family.server, 0});
    auto made = attempt(link.client, listener.dest());
    check_errno(made.error, 0, "connect()");
    const auto port = local_port(made.socket);
    auto& pair = make<Pair>(link, told, std::move(made.socket), listener.accept(), port);
    listener.close();
    // The first round trip may have waited a second for an IPv6 address to be usable.
    await(
        [&] {
            exchange(pair.client, pair.server);
            return info_of(pair.client).tcpi_rto < 300'000 &&
                   info_of(pair.server).tcpi_rto < 300'000;
        },
        "the time of a round trip");
    // Or the server says it again, which is a sign of life.
    await([&] { return info_of(pair.server).tcpi_unacked == 0; }, "the client's acknowledgement");
    return pair;
}

void tells_each_unanswered_retransmission(const Family& family) {
    auto& pair = connected(family);
    silence(pair.link.client, family);
    say(pair.client);
    const auto records = pair.told.await_records(4, pair.port);
    __u32 by_timer = 0;
    for (const auto& record : records) {
        check_equal(unsigned{record.kind}, unsigned{BALLAST_SUSPICION_RETRANSMISSION}, "kind");
        check_equal(unsigned{record.state}, unsigned{TCP_ESTABLISHED}, "state");
        check_equal(record.packets_out, 1U, "packets in flight");
        check_equal(record.try_jiffies != 0, record.retransmits != 0, "a try before is known");
        check(record.cookie != 0 && record.netns != 0 && record.snd_wnd != 0, "the flow is named");
        if (record.flags & BALLAST_SUSPICION_TAIL_PROBE)
            check_equal(unsigned{record.retransmits}, 0U, "before a tail loss probe");
        else
            check_equal(unsigned{record.retransmits}, ++by_timer, "of the timer, with this one");
    }
    check(by_timer >= 3, "the retransmission timer's are there");
}

void knows_who_called(const Family& family) {
    auto& pair = connected(family);
    silence(pair.link.client, family); // its acknowledgements too
    say(pair.server);
    const auto port = local_port(pair.server);
    const auto record = pair.told.await_records(1, port).front();
    check(record.flags & BALLAST_SUSPICION_INBOUND, "accepted");
    check_equal(record.remote_port, pair.port, "the client's port");
}

/// The server's end goes without a word to the client.
void tells_a_late_reset(const Family& family) {
    auto& pair = connected(family);
    const auto neighbour = fmt::format(" {} dev s0", family.client);
    pair.link.server.ip({fmt::format("neigh replace{} lladdr 02:00:00:00:77:09", neighbour)});
    abort_connection(pair.server);
    pair.link.server.ip({"neigh del" + neighbour});
    pair.told.watch(by_default, 0);
    say(pair.client);
    const auto record = pair.told.await_records(1, pair.port).front();
    check_equal(unsigned{record.kind}, unsigned{BALLAST_SUSPICION_RESET}, "kind");
    check_equal(record.packets_out, 1U, "packets in flight");
}

/// A connection that its own keepalive has ended.
Pair& ended_by_keepalive(const Family& family) {
    auto& pair = connected(family);
    silence(pair.link.client, family);
    set_option(pair.client, IPPROTO_TCP, TCP_KEEPIDLE, 1);
    pair.link.client.sysctl("net.ipv4.tcp_keepalive_intvl", 1);
    set_option(pair.client, IPPROTO_TCP, TCP_KEEPCNT, 1);
    set_option(pair.client, SOL_SOCKET, SO_KEEPALIVE, 1);
    need(wait_fd(pair.client.get(), POLLERR, Clock::now() + patience()), "the connection's end");
    return pair;
}

/// In an interrupt in which the host's own kernel runs no tracing program nothing is told
/// (uncounted_closes() in tests/e2e/scene.cpp): there, one of three has to be. The kernel wakes the
/// socket's owner before it runs the program (sk_error_report() in net/core/sock.c), so it is
/// waited for.
ballast_suspicion told_of_failed_keepalive(const Family& family) {
    const bool always = std::getenv("BALLAST_VM") != nullptr;
    for (int i = 0; i < (always ? 1 : 3); ++i) {
        auto& pair = ended_by_keepalive(family);
        const auto told = [&] { return !pair.told.of(pair.port).empty(); };
        if (wait_until(told, always ? patience() : std::chrono::seconds(1)))
            return pair.told.of(pair.port).front();
    }
    fail_test("nothing was told of connections that their keepalive ended", Where::current());
    std::abort();
}

void tells_of_keepalive_that_failed(const Family& family) {
    const auto record = told_of_failed_keepalive(family);
    check_equal(unsigned{record.kind}, unsigned{BALLAST_SUSPICION_TIMED_OUT}, "kind");
    check_equal(unsigned{record.probes}, 1U, "probes");
    check_equal(record.packets_out, 0U, "nothing in flight");
    const auto second = record.try_jiffies;
    check(second == 100 || second == 250 || second == 300 || second == 1000,
          fmt::format("{} jiffies between probes", second));
}

void says_nothing_of_healthy_traffic(const Family& family) {
    auto& pair = connected(family);
    const Fd statistics(bpf_enable_stats(BPF_STATS_RUN_TIME));
    need(bool{statistics}, "bpf_enable_stats");
    const auto before = pair.told.runs();
    constexpr unsigned exchanges = 2000;
    for (unsigned i = 0; i < exchanges; ++i)
        exchange(pair.client, pair.server);
    // Other sockets of this host may have had a retransmission or an RST meanwhile.
    check(pair.told.runs() - before < exchanges / 20, "no program runs");
    check(pair.told.of(pair.port).empty(), "nothing is told");
}

void says_nothing_while_switched_off(const Family& family) {
    auto& pair = connected(family);
    pair.told.watch(0);
    silence(pair.link.client, family);
    say(pair.client);
    await([&] { return info_of(pair.client).tcpi_retransmits >= 2; }, "retransmissions");
    check(pair.told.of(pair.port).empty(), "nothing is told");
}

} // namespace

TEST_GROUP(suspicions) {
    return Suite()
        .each(families, "tells each unanswered retransmission",
              tells_each_unanswered_retransmission)
        .each(families, "knows who called", knows_who_called)
        .each(families, "tells a late reset", tells_a_late_reset)
        .each(families, "tells of keepalive that failed", tells_of_keepalive_that_failed)
        .each(families, "says nothing of healthy traffic", says_nothing_of_healthy_traffic)
        .each(families, "says nothing while switched off", says_nothing_while_switched_off)
        .run("suspicions");
}

} // namespace test_suspicions

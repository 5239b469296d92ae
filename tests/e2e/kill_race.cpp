// SPDX-License-Identifier: Apache-2.0
// Promise: after any mess the count is what `ss` counts. Eight processes open, use and close
// connections of every kind and are killed at random, while the policy changes and the daemon is
// killed. BALLAST_RACE_SECONDS sets how long, BALLAST_RACE_SEED repeats a run.
#include "tests/e2e/scene.h"

#include <cstdlib>
#include <random>
#include <sys/mman.h>
#include <thread>

#include "tests/harness/group.h"
#include "tests/harness/nginx.h"

namespace test_kill_race {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr int workers = 8;
constexpr int threads_per_worker = 4;
constexpr std::size_t held_per_thread = 4;
constexpr unsigned low_limit = 10;
constexpr unsigned high_limit = 25;
constexpr unsigned least_rounds = 20;
// without it the workers would leave no time for what kills them
const auto pause_between_steps = patience(std::chrono::milliseconds(2));

using Random = std::minstd_rand;

unsigned number_from(const char* variable, unsigned otherwise) {
    const char* text = std::getenv(variable);
    return text != nullptr && *text != '\0' ? static_cast<unsigned>(std::atoi(text)) : otherwise;
}

/// Where connections go: two that answer, two that never do.
std::vector<Dest> destinations() {
    std::vector<Dest> all;
    for (const auto& family : families) {
        all.push_back({family.server, Nginx::first_port});
        all.push_back({family.silent, Nginx::first_port});
    }
    return all;
}

/// Shared with all workers.
struct Orders {
    std::atomic<bool> hold{false}; ///< connect no more, keep what is open
};

Orders& make_orders() {
    void* memory =
        ::mmap(nullptr, sizeof(Orders), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(memory != MAP_FAILED, "mmap");
    return *new (memory) Orders;
}

/// One thread's connections, at most held_per_thread of them.
class Mess {
public:
    explicit Mess(unsigned seed) : random_(seed) {}

    void step(const std::vector<Dest>& all) {
        if (held_.size() >= held_per_thread || (!held_.empty() && roll(2) == 0))
            lose_one();
        else
            open_one(all[roll(static_cast<unsigned>(all.size()))]);
    }

private:
    unsigned roll(unsigned sides) { return static_cast<unsigned>(random_()) % sides; }

    void open_one(const Dest& dest) {
        const int domain = dest.v4() && roll(3) != 0 ? AF_INET : AF_INET6;
        Fd socket(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        const SocketAddress address(dest, domain);
        const int fast = roll(4) == 0 ? MSG_FASTOPEN : 0;
        const auto result = fast != 0 ? ::sendto(socket.get(), "GET", 3, fast | MSG_NOSIGNAL,
                                                 address.get(), address.length)
                                      : ::connect(socket.get(), address.get(), address.length);
        if (result < 0 && errno != EINPROGRESS && roll(2) == 0)
            return;
        held_.push_back(std::move(socket)); // a refused one may connect again
        if (roll(4) == 0)
            (void)::connect(held_.back().get(), address.get(), address.length);
    }

    /// Half closes, disconnects, resets or closes one of them.
    void lose_one() {
        std::swap(held_[roll(static_cast<unsigned>(held_.size()))], held_.back());
        auto& socket = held_.back();
        const sockaddr unspecified{AF_UNSPEC, {}};
        const unsigned way = roll(5);
        if (way == 0) {
            ::shutdown(socket.get(), SHUT_WR);
            return;
        }
        if (way == 1) {
            (void)::connect(socket.get(), &unspecified, sizeof unspecified);
            return;
        }
        if (way == 2)
            abort_connection(socket);
        held_.pop_back();
    }

    Random random_;
    std::vector<Fd> held_;
};

int make_a_mess(const Netns& where, const Orders& orders, unsigned seed) {
    need(::setns(where.fd(), CLONE_NEWNET) == 0, "setns to a network namespace");
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < threads_per_worker; ++i)
        threads.emplace_back([&orders, seed, i] {
            Mess mess(seed + i);
            const auto all = destinations();
            while (!orders.hold.load()) {
                mess.step(all);
                std::this_thread::sleep_for(pause_between_steps);
            }
            ::pause();
        });
    return 0;
}

struct Race {
    Scene& scene;
    Orders& orders;
    std::vector<Process>& processes;
    Random random;

    void start_worker(std::size_t index) {
        const auto seed = static_cast<unsigned>(random());
        processes[index].fork(
            [this, seed] { return make_a_mess(scene.link.client, orders, seed); });
    }

    void check_limits() {
        for (const auto& dest : destinations())
            check(scene.ballastd.in_use(dest) <= long{high_limit}, "no limit was ever exceeded");
    }

    void disturb(unsigned round) {
        processes[random() % processes.size()].kill();
        for (std::size_t i = 0; i < processes.size(); ++i) {
            if (!processes[i].running())
                start_worker(i);
        }
        if (round % 10 == 3)
            scene.ballastd.write_policy(limit_policy(round % 20 == 3 ? high_limit : low_limit));
        if (round % 10 == 6)
            check_limits();
        if (round % 10 == 9) {
            scene.ballastd.crash();
            scene.ballastd.start();
        }
    }
};

/// Ballast and ss agree, once TCP itself has come to rest.
void check_agreement(Race& race) {
    for (const auto& dest : destinations()) {
        const auto apart = [&] {
            return race.scene.ballastd.in_use(dest) -
                   long{ss_held(race.scene.link.client.fd(), dest)};
        };
        await_equal(apart, 0, "in_use less what ss counts, " + dest.text());
        check_exact(race.scene, dest, race.scene.ballastd.in_use(dest));
    }
}

void kill_race() {
    const auto seed = number_from("BALLAST_RACE_SEED", std::random_device()());
    const auto seconds = number_from("BALLAST_RACE_SECONDS", 15);
    note(fmt::format("{} s, BALLAST_RACE_SEED={}", seconds, seed));
    auto& scene = make_scene(limit_policy(low_limit));
    make<Nginx>(scene.link.server);
    scene.link.server.sysctl("net.ipv4.tcp_fastopen", 3);
    auto& race =
        make<Race>(scene, make_orders(), make<std::vector<Process>>(workers), Random(seed));
    const auto end = Clock::now() + std::chrono::seconds(seconds);
    unsigned rounds = 0;
    for (; rounds < least_rounds || Clock::now() < end; ++rounds) {
        race.disturb(rounds);
        std::this_thread::sleep_for(std::chrono::milliseconds(race.random() % 50));
    }
    race.orders.hold = true;
    check_agreement(race);
    for (auto& process : race.processes)
        process.kill();
    for (const auto& dest : destinations())
        check_exact(scene, dest, 0);
    check_equal(scene.ballastd.status().at("sweep").at("drift").get<long>(), 0, "drift in all");
    // not 0 for sure: a daemon killed while it gives back a place leaves one for the sweep
    note(fmt::format("{} rounds, {} repairs since the last crash", rounds,
                     scene.ballastd.status().at("sweep").at("repairs").get<long>()));
}

} // namespace

TEST_GROUP(kill_race) {
    return Suite().add("eight processes killed at random", kill_race).run("kill_race");
}

} // namespace test_kill_race

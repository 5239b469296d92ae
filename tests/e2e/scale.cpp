// SPDX-License-Identifier: Apache-2.0
// Promise: limits are exact from the first moment with 1,000 services and 100,000 connections to
// 10,000 destinations, while the policy is replaced again and again, and with a new policy at once.
// Virtual machines, which are slow, get a tenth of it.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

namespace test_scale {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr unsigned per_service = 10; ///< destinations
constexpr unsigned limit = 10;       ///< connections to each
constexpr unsigned too_many = 2;     ///< attempts beyond that
constexpr unsigned worker_count = 8; ///< processes: one may not open enough files
constexpr std::uint16_t port = 8001;
constexpr unsigned least_reloads = 3;

/// The server has every address of these.
constexpr const char* networks[] = {"10.64.0.0/12", "fd64::/64"};

unsigned services() {
    return std::getenv("BALLAST_VM") != nullptr ? 100 : 1000;
}

/// Every second service is IPv6.
bool is_v4(unsigned service) {
    return service % 2 == 0;
}

std::string prefix_of(unsigned service) {
    return is_v4(service) ? fmt::format("10.64.{}.{}/28", service / 16, service % 16 * 16)
                          : fmt::format("fd64::{:x}:0/112", service);
}

Dest destination(unsigned service, unsigned n) {
    if (is_v4(service))
        return {fmt::format("10.64.{}.{}", service / 16, service % 16 * 16 + n + 1), port};
    return {fmt::format("fd64::{:x}:{:x}", service, n + 1), port};
}

/// The limit on a service's destinations.
using Limits = unsigned (*)(unsigned service);

std::string scale_policy(Limits limits, unsigned version) {
    std::vector<Rule> rules;
    for (unsigned service = 0; service < services(); ++service)
        rules.push_back({.to = {prefix_of(service)},
                         .limit = limits(service),
                         .name = fmt::format("s{}", service)});
    // A service that nothing is of, so that each version is another policy.
    rules.push_back({.to = {fmt::format("10.63.0.{}", version % 250 + 1)}, .name = "version"});
    return policy(rules, "sweep_interval = \"2s\"");
}

/// Outcomes of the attempts to connect to one destination.
struct Outcomes {
    std::atomic<unsigned> opened{0};
    std::atomic<unsigned> refused{0};
    std::atomic<int> surprise{0};
};

/// Shared between the test and its workers.
struct Shared {
    std::atomic<unsigned> busy{0};
    std::atomic<unsigned> turns{0}; ///< calls of `meanwhile` that are done
    std::array<Outcomes, 10'000> outcomes;
};

class Field {
public:
    explicit Field(const Scene& scene);

    /// `attempts` connections to each destination, by all workers at once, each of which comes to a
    /// destination together with others; `meanwhile` is called until they are done, which is not
    /// before it has been least_reloads times, with attempts during each.
    template <typename Meanwhile>
    void race(std::uint8_t attempts, const Meanwhile& meanwhile) {
        for (auto& outcome : shared_->outcomes)
            outcome.opened = outcome.refused = 0;
        shared_->turns = 0;
        shared_->busy = worker_count;
        for (const auto& worker : orders_)
            need(::write(worker.get(), &attempts, 1) == 1, "write to a worker");
        while (shared_->busy != 0) {
            for (const auto& worker : workers_)
                check(worker.running(), "the workers live");
            meanwhile();
            ++shared_->turns;
        }
    }
    /// Ends the workers, with all they hold.
    void close() {
        for (auto& worker : orders_)
            worker.reset();
    }

    [[nodiscard]] unsigned size() const { return static_cast<unsigned>(destinations_.size()); }
    [[nodiscard]] const Dest& dest(std::size_t at) const { return destinations_[at]; }
    [[nodiscard]] const Outcomes& outcomes(std::size_t at) const {
        return shared_->outcomes.at(at);
    }

private:
    int work(const Netns& where, unsigned worker, int orders);
    void try_one(std::size_t at, std::vector<Fd>& held);

    std::vector<Dest> destinations_;
    std::vector<SocketAddress> addresses_;
    Shared* shared_ = nullptr;
    std::array<Process, worker_count> workers_;
    std::array<Fd, worker_count> orders_;
};

Field::Field(const Scene& scene) {
    for (unsigned service = 0; service < services(); ++service)
        for (unsigned n = 0; n < per_service; ++n) {
            destinations_.push_back(destination(service, n));
            addresses_.emplace_back(destinations_.back(), is_v4(service) ? AF_INET : AF_INET6);
        }
    void* memory =
        ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(memory != MAP_FAILED, "mmap");
    shared_ = new (memory) Shared;
    for (unsigned worker = 0; worker < worker_count; ++worker) {
        int ends[2];
        need(::pipe2(ends, O_CLOEXEC) == 0, "pipe");
        const Fd orders(ends[0]);
        orders_.at(worker) = Fd(ends[1]);
        workers_.at(worker).fork([&, worker] {
            for (auto& other : orders_)
                other.reset(); // or the end of a pipe would not be seen
            return work(scene.link.client, worker, orders.get());
        });
    }
}

/// Attempts come one after the other over all workers, and those of one destination are neighbours.
int Field::work(const Netns& where, unsigned worker, int orders) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    const Inside inside(where.fd());
    std::vector<Fd> held;
    for (std::uint8_t attempts = 0; ::read(orders, &attempts, 1) == 1;) {
        const std::size_t total = addresses_.size() * attempts;
        for (std::size_t n = worker; n < total; n += worker_count) {
            while (shared_->turns < n * (least_reloads + 1) / total)
                ::usleep(1000);
            try_one(n / attempts, held);
        }
        --shared_->busy;
    }
    return 0;
}

void Field::try_one(std::size_t at, std::vector<Fd>& held) {
    const auto& address = addresses_[at];
    Fd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto& outcome = shared_->outcomes.at(at);
    const int error = ::connect(socket.get(), address.get(), address.length) == 0 ? 0 : errno;
    if (error == 0) {
        ++outcome.opened;
        held.push_back(std::move(socket));
    } else if (error == ECONNREFUSED) {
        ++outcome.refused;
    } else {
        outcome.surprise = error;
    }
}

/// Of `attempts` to each destination of a service, `opened` succeeded and the rest were refused.
void check_outcomes(const Field& field, unsigned attempts, Limits opened) {
    for (std::size_t at = 0; at < field.size(); ++at) {
        const auto& got = field.outcomes(at);
        const unsigned wanted = opened(static_cast<unsigned>(at / per_service));
        const std::string where = field.dest(at).text();
        check_errno(got.surprise, 0, "connect() to " + where);
        check_equal(got.opened.load(), wanted, "connections opened to " + where);
        check_equal(got.refused.load(), attempts - wanted, "connections refused to " + where);
    }
}

long reservations(Ballastd& ballastd) {
    return ballastd.status().at("capacity").at("reservations").get<long>();
}

/// The server gets all addresses, and backlogs that hold every connection.
void make_room(const Scene& scene, unsigned connections) {
    scene.link.server.sysctl("net.core.somaxconn", static_cast<int>(connections));
    for (const auto& family : families) {
        const char* network = networks[family.domain == AF_INET ? 0 : 1];
        scene.link.server.ip({fmt::format("route add local {} dev lo", network)});
        scene.link.client.ip({fmt::format("route add {} via {}", network, family.server)});
    }
}

void exact_at_scale() {
    auto& scene = make_scene(scale_policy([](unsigned) { return limit; }, 0));
    auto& field = make<Field>(scene);
    const unsigned count = field.size();
    const unsigned backlog = count * (limit + too_many);
    make_room(scene, backlog);
    // Nobody accepts: what is in a backlog is established too.
    Listener v4(scene.link.server, {"0.0.0.0", port}, static_cast<int>(backlog));
    Listener v6(scene.link.server, {"::", port}, static_cast<int>(backlog));

    unsigned reloads = 0;
    const auto replace = [&] {
        scene.ballastd.enforce(scale_policy([](unsigned) { return limit; }, ++reloads));
    };
    field.race(limit + too_many, replace);
    check(reloads >= least_reloads, fmt::format("{} reloads during the race", reloads));
    check_outcomes(field, limit + too_many, [](unsigned) { return limit; });
    check_equal(reservations(scene.ballastd), long{count} * limit, "reservations");
    note(fmt::format("{} services, {} destinations, {} connections, {} refused, {} reloads",
                     services(), count, count * limit, count * too_many, reloads));

    // Half of the services get less than they have, half get room for one more.
    scene.ballastd.enforce(
        scale_policy([](unsigned service) { return is_v4(service) ? limit / 2 : limit + 1; }, 0));
    field.race(2, [] { ::usleep(1000); });
    check_outcomes(field, 2, [](unsigned service) { return is_v4(service) ? 0U : 1U; });
    check_equal(reservations(scene.ballastd), long{count} * limit + count / 2,
                "with the new limits");
    await_equal(
        [&] {
            scene.ballastd.sweep();
            return scene.ballastd.status().at("sweep").at("drift").get<long>();
        },
        0L, "drift");
    for (const auto* reason : {"destinations_full", "reservations_full", "retiring"})
        check_equal(fail_open(scene.ballastd, reason), 0, reason);
    field.close();
    v4.close(); // ends what would wait in FIN_WAIT2 for the server's FIN
    v6.close();
    const auto left = [&] {
        scene.ballastd.sweep();
        return reservations(scene.ballastd);
    };
    await_equal(left, 0L, "reservations with all closed");
}

} // namespace

TEST_GROUP(scale) {
    return Suite().add("limits are exact at scale", exact_at_scale).run("scale");
}

} // namespace test_scale

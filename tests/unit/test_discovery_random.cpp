// SPDX-License-Identifier: Apache-2.0
// Whatever the timeout, the limits and the loss: the bracket holds the truth, is narrow enough, and
// is known in time.
#include <cmath>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/discovery_world.h"

namespace test_discovery_random {

namespace {

using namespace ballast::test;
using ballast::discovery::best_stride;
using ballast::discovery::Death;
using ballast::discovery::DiscoveryOptions;
using ballast::discovery::most_time;

class Draw {
public:
    explicit Draw(std::uint32_t seed) : random_(seed) {}
    Gap gap(double least_ms, double most_ms) {
        const double unit = std::uniform_real_distribution<>(0, 1)(random_);
        return Gap(static_cast<std::int64_t>(least_ms * std::pow(most_ms / least_ms, unit)));
    }
    int number(int least, int most) {
        return std::uniform_int_distribution<>(least, most)(random_);
    }

private:
    std::mt19937 random_;
};

void demand(bool holds, std::uint32_t seed, const std::string& what) {
    if (!holds)
        fail_msg("seed %u: %s", seed, what.c_str());
}

std::string told(const Findings& found, const World& world) {
    const auto text = [](const auto& gap) { return gap ? std::to_string(gap->count()) : "-"; };
    return "state " + std::to_string(static_cast<int>(found.state)) + ", survived " +
           text(found.survived) + ", died " + text(found.died) + ", after " +
           std::to_string(world.elapsed().count()) + " ms";
}

/// The properties; `slack` is time beyond what the search takes, and 2% for the room that the
/// ladder leaves for lateness.
void check_bracket(const DiscoveryOptions& wanted, const WorldOptions& options, Gap slack,
                   std::uint32_t seed) {
    World world(wanted, options, seed);
    const Findings& found = world.run();
    const Gap timeout = *options.timeout;
    const auto all = "timeout " + std::to_string(timeout.count()) + ", " +
                     std::to_string(wanted.connections) + " connections, " +
                     std::to_string(wanted.resolution_percent) + "%, " +
                     std::to_string(world.lost()) + " lost: " + told(found, world);
    demand(world.wrong().empty(), seed, world.wrong() + "; " + all);
    demand(found.state == Discovered::bracketed, seed, "no bracket; " + all);
    demand(found.survived && *found.survived <= timeout, seed, "survived is wrong; " + all);
    demand(found.died && *found.died >= timeout, seed, "died is wrong; " + all);
    demand((*found.died - *found.survived) * 100 <= timeout * wanted.resolution_percent, seed,
           "too wide; " + all);
    demand(found.death == (options.resets ? Death::reset : Death::silently_dropped), seed,
           "the wrong kind; " + all);
    const auto flows = wanted.connections - 1;
    const double most =
        most_time(wanted.resolution_percent, flows, best_stride(wanted.resolution_percent, flows));
    demand(static_cast<double>(world.elapsed().count()) <=
               1.02 * most * static_cast<double>(timeout.count()) +
                   static_cast<double>(slack.count()),
           seed, "too late; " + all);
    demand(!world.anything_open(), seed, "left something open; " + all);
}

void any_timeout_is_found(void**) {
    for (std::uint32_t seed = 1; seed <= 3'000; ++seed) {
        Draw draw(seed);
        const DiscoveryOptions wanted{.longest = draw.gap(20'000, 86'400'000),
                                      .resolution_percent = draw.number(10, 60),
                                      .connections = static_cast<std::size_t>(draw.number(2, 20))};
        const auto longest = static_cast<double>(wanted.longest.count());
        const WorldOptions options{.timeout = draw.gap(2'100, 0.99 * longest),
                                   .resets = draw.number(0, 1) == 1,
                                   .rtt = draw.gap(1, 20)};
        check_bracket(wanted, options, Gap(2'500), seed);
    }
}

/// The promise of docs/cli-discover.md: by default 1.5 times the timeout, and what it takes to be
/// sure of a drop.
void the_default_is_quick(void**) {
    for (std::uint32_t seed = 1; seed <= 2'000; ++seed) {
        Draw draw(seed);
        const WorldOptions options{.timeout = draw.gap(2'100, 890'000)};
        World world({}, options, seed);
        const Findings& found = world.run();
        demand(found.state == Discovered::bracketed, seed, told(found, world));
        demand(world.elapsed() <= *options.timeout * 3 / 2 + Gap(1'200), seed,
               "timeout " + std::to_string(options.timeout->count()) + ": " + told(found, world));
    }
}

/// Each loss may hold a place up for as long as its answer was waited for.
void loss_is_not_taken_for_a_drop(void**) {
    unsigned lost = 0;
    for (std::uint32_t seed = 1; seed <= 2'000; ++seed) {
        Draw draw(seed);
        const WorldOptions options{.timeout = draw.gap(2'100, 890'000),
                                   .resets = draw.number(0, 1) == 1,
                                   .rtt = draw.gap(1, 200),
                                   .loss = draw.number(1, 60) / 100.0};
        check_bracket({}, options, Gap(20'000), seed);
        World world({}, options, seed);
        world.run();
        lost += world.lost();
    }
    print_message("# %u probes lost\n", lost);
    assert_true(lost > 10'000);
}

/// Invariant 2: what it takes to send the probes after a volley.
constexpr Gap kUnsure{1'000};

void an_outage_is_not_taken_for_a_drop(void**) {
    for (std::uint32_t seed = 1; seed <= 1'000; ++seed) {
        Draw draw(seed);
        const WorldOptions options{.timeout = draw.gap(3'000, 300'000),
                                   .outage_at = draw.gap(100, 400'000),
                                   .outage_for = draw.gap(100, 5'000)};
        World world({}, options, seed);
        const Findings& found = world.run();
        demand(world.wrong().empty(), seed, world.wrong());
        demand(found.survived && found.state == Discovered::bracketed, seed, told(found, world));
        demand(*found.survived <= *options.timeout && *found.died >= *options.timeout - kUnsure,
               seed,
               "timeout " + std::to_string(options.timeout->count()) + ": " + told(found, world));
    }
}

void greetings_do_not_mislead(void**) {
    for (std::uint32_t seed = 1; seed <= 1'000; ++seed) {
        Draw draw(seed);
        const WorldOptions options{.timeout = draw.gap(3'000, 300'000),
                                   .greets_after = draw.gap(1, 2'900)};
        check_bracket({}, options, Gap(12'000), seed);
    }
}

void servers_that_close_are_named(void**) {
    for (std::uint32_t seed = 1; seed <= 1'000; ++seed) {
        Draw draw(seed);
        const WorldOptions options{.closes_after = draw.gap(2'100, 890'000)};
        World world({}, options, seed);
        const Findings& found = world.run();
        demand(world.wrong().empty(), seed, world.wrong());
        demand(found.state == Discovered::peer_closes, seed, told(found, world));
        const Gap off = *options.closes_after - *found.closes_after;
        demand(std::abs(off.count()) < 60 && found.survived == found.closes_after, seed,
               told(found, world));
        demand(world.elapsed() < *options.closes_after * 3 / 2 + Gap(1'000), seed,
               told(found, world));
    }
}

} // namespace

TEST_GROUP(discovery_random) {
    const CMUnitTest tests[] = {cmocka_unit_test(any_timeout_is_found),
                                cmocka_unit_test(the_default_is_quick),
                                cmocka_unit_test(loss_is_not_taken_for_a_drop),
                                cmocka_unit_test(an_outage_is_not_taken_for_a_drop),
                                cmocka_unit_test(greetings_do_not_mislead),
                                cmocka_unit_test(servers_that_close_are_named)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_discovery_random

// SPDX-License-Identifier: Apache-2.0
// Promise: connect() calls to a destination never come faster than max_connect_rate, but for a
// burst; and a burst comes at once. The number allowed is computed from the time that passed.
#include "tests/e2e/programs.h"

#include <thread>

#include "tests/harness/group.h"
#include "tests/harness/wait.h"

namespace test_rates {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr std::uint32_t burst = 20;
constexpr std::uint32_t race_attempts = 400;

Scene* scene = nullptr;

struct Rate {
    std::uint32_t per_second;
    std::uint32_t burst;
};

std::string rate_policy(Rate rate, const std::string& more = "") {
    return policy_of({service("api", fmt::format("max_connect_rate = {}\nburst = {}\n{}",
                                                 rate.per_second, rate.burst, more))});
}

/// CLOCK_MONOTONIC, which the kernel's rate goes by too, around what happens.
class Stopwatch {
public:
    /// The most that may have come since (bpf/lib/rate.h, G1), for rates that divide 10^9.
    [[nodiscard]] std::uint32_t bound(Rate rate) const {
        const auto elapsed = std::chrono::nanoseconds(Clock::now() - begun_).count();
        return rate.burst + static_cast<std::uint32_t>(elapsed * rate.per_second / 1'000'000'000);
    }

private:
    Clock::time_point begun_ = Clock::now();
};

/// Races for a destination whose rate is unused; what is admitted is held.
std::uint32_t check_race(Crowd& racers, const Dest& dest, Rate rate,
                         Where where = Where::current()) {
    const Stopwatch watch;
    const auto got = admitted(racers, attempts(dest, race_attempts, 64), where);
    const auto bound = watch.bound(rate);
    note(fmt::format("{} admitted of at most {}", got, bound));
    check(got >= rate.burst, "the burst was admitted at once", where);
    check(got <= bound, "no more than burst + rate * time were admitted", where);
    check(got < race_attempts, "some were refused", where);
    return got;
}

void burst_then_refused(const Family& family) {
    constexpr Rate rate{1, burst};
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(rate_policy(rate));
    auto& racers = make<Crowd>(scene->link.client);
    const auto got = check_race(racers, dest, rate);
    check_equal(scene->ballastd.value(dest, "admitted"), long{got}, "admitted");
    check_equal(scene->ballastd.value(dest, "refused"), long{race_attempts} - got, "refused");
    check_equal(scene->ballastd.in_use(dest), long{got}, "in_use, before a sweep could mend it");
    check_exact(*scene, dest, got);
    check_no_repairs(scene->ballastd);
}

/// Refused ones try again until all have come, which takes as long as the rate wants.
void refills(const Family& family) {
    constexpr Rate rate{200, burst};
    constexpr std::uint32_t connections = 150;
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(rate_policy(rate));
    auto& racers = make<Crowd>(scene->link.client);
    const Stopwatch watch;
    check_equal(admitted(racers, churn(dest, connections, 8)), connections,
                "connections that came and went");
    check(connections <= watch.bound(rate), "they did not come faster than the rate");
    check(racers.counts().refused.load() > 0, "some had to try again");
    check_exact(*scene, dest, 0);
    check_equal(scene->ballastd.value(dest, "refused"), long{racers.counts().refused.load()},
                "refused");
}

/// No event marks time that went by unused, hence the pause: of twenty bursts.
void saves_up_one_burst(const Family& family) {
    constexpr Rate rate{1000, burst};
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(rate_policy(rate));
    auto& racers = make<Crowd>(scene->link.client);
    check_equal(admitted(racers, attempts(dest, 1)), 1U, "admitted at first");
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    const Stopwatch watch;
    const auto got = admitted(racers, attempts(dest, race_attempts, 64));
    const auto bound = watch.bound(rate);
    note(fmt::format("{} admitted of at most {}", got, bound));
    check(got >= rate.burst, "a burst was admitted at once");
    check(got <= bound, "no more than one burst was saved up");
}

void each_destination_has_its_own(const Family& family) {
    constexpr Rate rate{1, burst};
    const auto& first = serve(*scene, family).dest();
    const auto& second = serve(*scene, family).dest();
    scene->ballastd.enforce(rate_policy(rate));
    auto& racers = make<Crowd>(scene->link.client);
    check_race(racers, first, rate);
    check_race(racers, second, rate);
}

/// The rate is of all consumers together.
void consumers_share_it(const Family& family) {
    constexpr Rate rate{1, burst};
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(rate_policy(rate));
    auto& a = program(*scene, "a.service");
    auto& b = program(*scene, "b.service");
    const Stopwatch watch;
    a.begin(attempts(dest, race_attempts));
    const auto of_b = admitted(b, attempts(dest, race_attempts));
    a.finish();
    const auto both = of_b + a.counts().opened.load();
    check(both >= rate.burst && both <= watch.bound(rate), "both together stay within the rate");
}

void works_with_the_daemon_dead(const Family& family) {
    constexpr Rate rate{1, burst};
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(rate_policy(rate));
    scene->ballastd.crash();
    auto& racers = make<Crowd>(scene->link.client);
    const auto got = check_race(racers, dest, rate);
    scene->ballastd.start();
    check_exact(*scene, dest, got);
}

void observe_lets_pass(const Family& family) {
    constexpr Rate rate{1, burst};
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(
        policy({{.mode = "observe"}}) +
        fmt::format("max_connect_rate = {}\nburst = {}\n", rate.per_second, rate.burst));
    auto& racers = make<Crowd>(scene->link.client);
    const Stopwatch watch;
    check_equal(admitted(racers, attempts(dest, race_attempts, 64)), race_attempts, "admitted");
    const auto counted = scene->ballastd.value(dest, "over_limit");
    check(counted <= long{race_attempts - rate.burst}, "the burst was not counted as over");
    check(counted >= long{race_attempts} - watch.bound(rate), "the rest was counted as over");
    check_equal(scene->ballastd.value(dest, "refused"), 0, "refused");
    check_exact(*scene, dest, race_attempts);
}

/// An attempt that another limit refuses uses up nothing of the rate.
void limit_comes_first(const Family& family) {
    constexpr std::uint32_t limit = 5;
    constexpr Rate rate{1, 2 * limit};
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(rate_policy(rate, fmt::format("max_connections = {}", limit)));
    auto& racers = make<Crowd>(scene->link.client);
    check_equal(admitted(racers, attempts(dest, race_attempts, 1)), limit, "admitted at first");
    racers.close_some(limit);
    await_in_use(scene->ballastd, dest, 0);
    check_equal(admitted(racers, attempts(dest, race_attempts, 1)), limit, "admitted after that");
    check_exact(*scene, dest, limit);
}

/// The lower rate's backlog, a burst that would take longer than any wait here, is gone.
void raised_by_reload(const Family& family) {
    constexpr Rate low{1, 200};
    constexpr Rate high{500, burst};
    constexpr std::uint32_t connections = 100;
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(rate_policy(low));
    auto& racers = make<Crowd>(scene->link.client);
    check_race(racers, dest, low);
    const Stopwatch watch;
    scene->ballastd.enforce(rate_policy(high));
    check_equal(admitted(racers, churn(dest, connections, 8)), connections,
                "admitted at the higher rate");
    check(connections <= watch.bound(high), "they did not come faster than the higher rate");
}

void lowered_by_reload(const Family& family) {
    constexpr Rate high{10000, race_attempts};
    constexpr Rate low{1, burst};
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(rate_policy(high));
    auto& racers = make<Crowd>(scene->link.client);
    check_equal(admitted(racers, attempts(dest, race_attempts)), race_attempts,
                "admitted at the higher rate");
    scene->ballastd.enforce(rate_policy(low));
    const Stopwatch watch;
    const auto got = admitted(racers, attempts(dest, race_attempts, 64));
    check(got <= watch.bound(low), "no more than the lower rate allows");
    check(got < race_attempts, "some were refused");
}

} // namespace

TEST_GROUP(rates) {
    return Suite()
        .shared([] {
            scene = &make_scene(rate_policy({1, 1}));
        })
        .each(families, "a burst at once, then refusals", burst_then_refused)
        .each(families, "the rate refills", refills)
        .each(families, "unused time saves up one burst", saves_up_one_burst)
        .each(families, "each destination has its own rate", each_destination_has_its_own)
        .each(families, "consumers share it", consumers_share_it)
        .each(families, "rates hold with the daemon dead", works_with_the_daemon_dead)
        .each(families, "observe lets pass and counts", observe_lets_pass)
        .each(families, "what a limit refuses costs no rate", limit_comes_first)
        .each(families, "a rate raised by reload applies", raised_by_reload)
        .each(families, "a rate lowered by reload applies", lowered_by_reload)
        .run("rates");
}

} // namespace test_rates

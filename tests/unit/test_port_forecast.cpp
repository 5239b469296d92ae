// SPDX-License-Identifier: Apache-2.0
// daemon/guards/ports/port_forecast: what it foretells is compared with what then happens, in
// made-up time.
#include "daemon/guards/ports/port_forecast.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_port_forecast {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using guards::PortForecast;
using guards::PortTrend;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr PortsByParity ports{14116, 14116};

/// A client that opens `opens` connections a second, uses each for `life` and closes it first;
/// `kept` more a second are never closed.
struct Client {
    double opens = 0;
    milliseconds life{10};
    double kept = 0;
};

/// Its tuple, in steps of 100 ms.
class World {
public:
    explicit World(const Client& client) : client_(client) {}

    void run(milliseconds until) {
        for (; now_ < until; now_ += step) {
            due_ += client_.opens * 0.1;
            for (; due_ >= 1; --due_)
                closes_.push_back(now_ + client_.life);
            kept_ += client_.kept * 0.1;
        }
    }

    [[nodiscard]] TupleCount count(milliseconds since) const {
        TupleCount made;
        made.established = static_cast<std::uint32_t>(kept_);
        for (const auto closed : closes_) {
            const auto ends = closed + PortTrend::lingers;
            if (closed > now_) {
                ++made.established;
            } else if (ends > now_) {
                ++made.time_wait;
                made.ended += closed > since ? 1U : 0U;
                ++made.ends.at(static_cast<std::size_t>((ends - now_) / TupleCount::ends_step));
            }
        }
        const auto used = made.sockets(); // even ones first
        made.used.even = std::min(used, ports.even);
        made.used.odd = used - made.used.even;
        return made;
    }

    /// Passes each `every` until then; what they foretell.
    PortForecast watch(milliseconds until, milliseconds every) {
        PortTrend trend;
        milliseconds since = now_;
        while (now_ < until) {
            run(now_ + every);
            trend.add(count(since), PortTrend::Monotonic(1h + now_), std::nullopt);
            since = now_;
        }
        return trend.forecast(ports, true);
    }

    /// When the need reaches `limit`, from now on; none: not within the horizon.
    std::optional<seconds> reaches(std::uint32_t limit) {
        const auto begin = now_;
        for (; now_ - begin <= PortTrend::horizon; run(now_ + 1s))
            if (count(now_).sockets() >= limit)
                return std::chrono::duration_cast<seconds>(now_ - begin);
        return std::nullopt;
    }

private:
    static constexpr milliseconds step{100};
    Client client_;
    milliseconds now_{0};
    double due_ = 0;
    double kept_ = 0;
    std::vector<milliseconds> closes_;
};

bool is_near(const std::optional<seconds>& got, const std::optional<seconds>& wanted) {
    if (!got || !wanted)
        return got.has_value() == wanted.has_value();
    const auto off = std::abs((*got - *wanted).count());
    return off <= 1 || off * 5 <= wanted->count();
}

std::string text_of(const std::optional<seconds>& time) {
    return time ? fmt::format("{} s", time->count()) : "never";
}

void what_is_foretold_happens(void**) {
    struct Case {
        const char* name;
        Client client;
        milliseconds watched, every;
    };
    for (const Case& c :
         {Case{"600 a second", {600}, 5s, 1s}, Case{"600 a second, seen late", {600}, 40s, 5s},
          Case{"235 a second: to the knee, no further", {235.5}, 10s, 1s},
          Case{"500 a second", {500}, 3s, 500ms}, Case{"200 a second: neither", {200}, 20s, 5s},
          Case{"long lives", {150, 40s}, 70s, 5s}, Case{"a leak", {0, 0ms, 60}, 20s, 5s},
          Case{"a leak beside traffic", {100, 1s, 50}, 30s, 5s}}) {
        World world(c.client);
        const auto told = world.watch(c.watched, c.every);
        World knee = world;
        const auto knee_at = knee.reaches(ports.even);
        const auto wall_at = world.reaches(ports.all());
        if (!is_near(told.to_knee, knee_at) || !is_near(told.to_wall, wall_at))
            fail_msg("%s: knee %s, wall %s; came %s, %s", c.name, text_of(told.to_knee).c_str(),
                     text_of(told.to_wall).c_str(), text_of(knee_at).c_str(),
                     text_of(wall_at).c_str());
    }
}

void any_steady_client_is_foretold(void**) {
    std::mt19937 random(4711);
    const auto up_to = [&](unsigned most) { return static_cast<int>(random() % most); };
    for (int i = 0; i < 60; ++i) {
        const Client client{20.0 + up_to(1500), milliseconds(10 + up_to(3000)),
                            static_cast<double>(up_to(20))};
        const milliseconds every(500 + up_to(4500));
        World world(client);
        world.run(client.life); // until then its connections grow in number
        const auto told = world.watch(client.life + 6 * every, every);
        const auto wall_at = world.reaches(ports.all());
        // At the very rate at which it settles there, either is true.
        const auto settles =
            client.opens * (60 + std::chrono::duration<double>(client.life).count());
        if (std::abs(settles - ports.all()) * 5 < ports.all())
            continue;
        if (!is_near(told.to_wall, wall_at))
            fail_msg("%d: %.0f a second, %.0f kept: %s, came %s", i, client.opens, client.kept,
                     text_of(told.to_wall).c_str(), text_of(wall_at).c_str());
    }
}

void rates_are_measured(void**) {
    World world({300, 2s, 5});
    const auto told = world.watch(30s, 2s);
    assert_true(std::abs(told.opens_per_s - 305) < 20);
    assert_true(std::abs(told.closes_per_s - 300) < 20);
    assert_true(told.confidence == Confidence::high);
    assert_true(told.settles_at > 17'000 && told.settles_at < 20'000);
}

void little_evidence_is_little_confidence(void**) {
    PortTrend trend;
    assert_true(trend.forecast(ports, true).confidence == Confidence::low);
    assert_false(trend.forecast(ports, true).to_wall.has_value());
    World world({500});
    assert_true(world.watch(1s, 1s).confidence == Confidence::low);
    World burst({500});
    TupleCount none;
    for (int i = 0; i < 3; ++i)
        trend.add(none, PortTrend::Monotonic(1h + i * 1s), std::nullopt);
    burst.run(1s);
    trend.add(burst.count(0ms), PortTrend::Monotonic(1h + 3s), std::nullopt);
    assert_true(trend.forecast(ports, true).confidence == Confidence::medium);
}

/// By how long its mini-sockets still have, and when the pass before was.
void the_first_pass_of_a_tuple_foretells(void**) {
    World world({500});
    world.run(5s);
    PortTrend trend;
    trend.add(world.count(0ms), PortTrend::Monotonic(1h), 5s);
    const auto told = trend.forecast(ports, true);
    assert_true(told.confidence == Confidence::low);
    assert_true(is_near(told.to_knee, world.reaches(ports.even)));
}

void what_is_reached_is_reached_now(void**) {
    TupleCount full;
    full.used = ports;
    full.established = ports.all();
    PortTrend trend;
    trend.add(full, PortTrend::Monotonic(1h), std::nullopt);
    const auto told = trend.forecast(ports, false);
    assert_true(told.to_knee == 0s && told.to_wall == 0s);
}

} // namespace

TEST_GROUP(port_forecast) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(what_is_foretold_happens),
        cmocka_unit_test(any_steady_client_is_foretold),
        cmocka_unit_test(rates_are_measured),
        cmocka_unit_test(little_evidence_is_little_confidence),
        cmocka_unit_test(the_first_pass_of_a_tuple_foretells),
        cmocka_unit_test(what_is_reached_is_reached_now),
    };
    return cmocka_run_group_tests_name("port_forecast", tests, nullptr, nullptr);
}

} // namespace test_port_forecast

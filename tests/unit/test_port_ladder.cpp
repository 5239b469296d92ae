// SPDX-License-Identifier: Apache-2.0
// daemon/guards/ports/port_ladder: what is ordered for tuples that run out of ports, and when, in
// made-up time.
#include "daemon/guards/ports/port_ladder.h"

#include <string>
#include <vector>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_port_ladder {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using guards::FlipPace;
using guards::PortLadder;
using guards::ReliefOrder;

constexpr std::uint32_t netns = 4026531840;

Reliefs all() {
    Reliefs reliefs;
    for (const Relief one : kAllReliefs)
        reliefs = reliefs.with(one);
    return reliefs;
}

Reliefs only(Relief relief) {
    return Reliefs().with(relief);
}

/// Ports in use of one tuple.
struct Use {
    std::uint32_t even = 0;
    std::uint32_t odd = 0;
    std::uint32_t reusable = 0;
    std::uint32_t opens_per_s = 0;
};

/// A host with 20,000 ports in one namespace, and one tuple.
class Host {
public:
    Host() {
        space_.netns = netns;
        space_.low = 30'000;
        space_.high = 49'999;
    }

    /// What is ordered, "begin:flip end:widen". `after`: since the pass before.
    std::string pass(const Use& use, std::chrono::nanoseconds after = 1s) {
        now += after;
        PortCount count;
        count.spaces.emplace(netns, space_);
        TupleCount tuple;
        tuple.key = key();
        tuple.used = {use.even, use.odd};
        tuple.reusable = tuple.time_wait = use.reusable;
        tuple.ends.front() = use.reusable * 8 / 60; // as they began, evenly
        count.tuples.push_back(tuple);
        PortRow row;
        row.key = tuple.key;
        row.used = tuple.used.all();
        row.capacity = space_.capacity().all();
        row.time_wait = row.reusable = use.reusable;
        row.opens_per_s = use.opens_per_s;
        row.to_wall = to_wall;
        row.confidence = Confidence::high;
        return taken(ladder.read(count, {row}, rule_of(), now));
    }

    /// As `ladder.wake()`, `after` the last call.
    std::string wake(std::chrono::nanoseconds after) {
        now += after;
        return taken(ladder.wake(now));
    }

    std::string change() { return taken(ladder.end_unnamed(rule_of())); }
    std::string end() { return taken(ladder.end_all()); }

    PortLadder ladder;
    PortLadder::Monotonic now{1h};
    PortRule rule{.mode = Mode::enforce, .relief = all(), .source_pool = {}};
    std::optional<std::chrono::milliseconds> to_wall;
    ReliefOrder last;

    PortSpace& space() { return space_; }

private:
    static TupleKey key() {
        return {netns, parse_address("10.0.0.2").value(), parse_endpoint("10.0.0.9:80").value()};
    }
    PortLadder::RuleOf rule_of() {
        return [this](const Endpoint&) { return rule; };
    }
    /// A flip shifts the range, as the kernel would.
    std::string taken(const std::vector<ReliefOrder>& orders) {
        std::string text;
        for (const auto& order : orders) {
            constexpr std::array names{"begin", "flip", "end"};
            text += fmt::format("{}{}:{}{}", text.empty() ? "" : " ",
                                names.at(static_cast<std::size_t>(order.kind)), name_of(order.rung),
                                order.mode == Mode::observe ? "?" : "");
            if (order.rung == Relief::flip && order.mode == Mode::enforce)
                space_.low ^= 1U;
            last = order;
        }
        return text;
    }

    PortSpace space_;
};

#define EXPECT(got, wanted) assert_string_equal((got).c_str(), wanted)

void flips_at_the_knee_and_back(void**) {
    Host host;
    host.rule.relief = only(Relief::flip);
    EXPECT(host.pass({.even = 9'699}), "");
    EXPECT(host.pass({.even = 9'700}), "begin:flip");
    EXPECT(host.pass({.even = 9'700, .odd = 50}), "");
    // 45% of 20,000 and more go on to need it
    for (int i = 0; i < 100; ++i)
        EXPECT(host.pass({.even = 9'000}), "");
    for (int i = 0; i < 59; ++i)
        EXPECT(host.pass({.even = 8'999}), "");
    EXPECT(host.pass({.even = 8'999}), "end:flip");
    assert_non_null(std::strstr(host.last.evidence.c_str(), "why=calm"));
    EXPECT(host.pass({.even = 8'999}), "");
}

void flips_again_where_the_other_is_used_up(void**) {
    Host host;
    host.rule.relief = only(Relief::flip);
    EXPECT(host.pass({.even = 9'900}), "begin:flip");
    EXPECT(host.pass({.even = 9'000, .odd = 9'700}), "flip:flip");
    EXPECT(host.pass({.even = 9'500, .odd = 9'700}), "");
    // both are used up: there is nothing to gain
    EXPECT(host.pass({.even = 10'000, .odd = 10'000}), "");
}

/// 99% in use, and as many opened a second as end: half of what one parity has free lasts 160 ms.
void keeps_pace_between_passes(void**) {
    Host host;
    host.rule.relief = only(Relief::flip);
    EXPECT(host.pass({.even = 9'900, .odd = 9'850, .reusable = 19'000, .opens_per_s = 316}),
           "begin:flip");
    const auto next = host.ladder.next_wake();
    assert_true(next.has_value());
    const auto in = *next - host.now;
    assert_true(in >= FlipPace::shortest && in < 300ms);
    EXPECT(host.wake(in - 1ms), "");
    int flips = 0;
    for (int ms = 0; ms < 1'000; ms += 10)
        flips += host.wake(10ms) == "flip:flip" ? 1 : 0;
    assert_in_range(flips, 3, 1'000 / FlipPace::shortest.count());
}

/// Where every odd port is reserved there is no other half.
void flips_only_to_ports_that_there_are(void**) {
    Host host;
    host.rule.relief = only(Relief::flip);
    host.space().reserved.odd = 10'000;
    EXPECT(host.pass({.even = 9'990}), "");
    Host half; // of those, a tenth is left
    half.rule.relief = only(Relief::flip);
    half.space().reserved.odd = 9'000;
    EXPECT(half.pass({.even = 9'600}), "");
    EXPECT(half.pass({.even = 9'700}), "begin:flip");
    EXPECT(half.pass({.even = 9'700, .odd = 990}), "flip:flip");
}

void waits_for_a_pass_where_little_is_opened(void**) {
    Host host;
    host.rule.relief = only(Relief::flip);
    EXPECT(host.pass({.even = 9'900, .odd = 100, .opens_per_s = 100}), "begin:flip");
    assert_false(host.ladder.next_wake().has_value());
}

/// The mildest first, each with time to show what it does.
void climbs(void**) {
    Host host;
    host.rule.relief = only(Relief::tw_reuse).with(Relief::widen);
    const Use most{.even = 9'000, .odd = 9'000, .reusable = 9'000};
    EXPECT(host.pass(most), "begin:tw_reuse");
    for (int i = 0; i < 4; ++i)
        EXPECT(host.pass(most), "");
    EXPECT(host.pass(most), "begin:widen");
    assert_int_equal(host.last.low, 10'000);
    assert_int_equal(host.last.high, 65'535);
    EXPECT(host.pass(most), "");
}

void passes_over_what_is_of_no_use(void**) {
    Host held;
    held.rule.relief = only(Relief::tw_reuse).with(Relief::widen);
    EXPECT(held.pass({.even = 9'000, .odd = 9'000}), "begin:widen"); // none is in TIME_WAIT
    Host named;
    named.rule.relief = only(Relief::widen);
    EXPECT(named.pass({.even = 9'000, .odd = 9'000, .reusable = 18'000}), "begin:widen");
    Host foretold;
    foretold.rule.relief = only(Relief::tw_reuse).with(Relief::widen);
    foretold.to_wall = 20s;
    EXPECT(foretold.pass({.even = 5'000, .reusable = 4'000, .opens_per_s = 700}), "begin:tw_reuse");
}

/// What could not be done makes way for the next, and is not tried again at once.
void goes_on_after_a_failure(void**) {
    Host host;
    host.rule.relief = only(Relief::tw_reuse).with(Relief::widen);
    const Use most{.even = 9'000, .odd = 9'000, .reusable = 9'000};
    EXPECT(host.pass(most), "begin:tw_reuse");
    host.ladder.failed(host.last, host.now);
    EXPECT(host.pass(most), "begin:widen");
    for (int i = 0; i < 297; ++i)
        EXPECT(host.pass(most), "");
    EXPECT(host.pass(most, 5s), "begin:tw_reuse");
}

void the_range_grows_where_nobody_serves(void**) {
    struct Case {
        std::uint16_t below;
        std::uint16_t above;
        std::vector<std::uint16_t> avoided;
        std::string wanted;
    };
    for (const Case& c : {Case{0, 0, {}, "10000-65535"}, Case{15'432, 0, {}, "15433-65535"},
                          Case{22, 60'000, {}, "10000-59999"},
                          Case{22, 60'000, {20'000, 40'000, 55'000}, "20001-54999"},
                          Case{29'999, 51'000, {}, ""}}) {
        Host host;
        host.rule.relief = only(Relief::widen);
        host.space().bound_below = c.below;
        host.space().bound_above = c.above;
        host.ladder.avoid(c.avoided);
        const auto ordered = host.pass({.even = 9'000, .odd = 9'000});
        EXPECT(ordered, c.wanted.empty() ? "" : "begin:widen");
        if (!c.wanted.empty())
            EXPECT(fmt::format("{}-{}", host.last.low, host.last.high), c.wanted.c_str());
    }
}

void reports_once_where_it_observes(void**) {
    Host host;
    host.rule.relief = only(Relief::flip);
    host.rule.mode = Mode::observe;
    EXPECT(host.pass({.even = 9'900}), "begin:flip?");
    EXPECT(host.pass({.even = 9'900}), "");
    assert_false(host.ladder.next_wake().has_value());
    host.rule.mode = Mode::enforce;
    EXPECT(host.pass({.even = 9'900}), "begin:flip");
    host.rule.mode = Mode::observe; // `ballast disarm`
    EXPECT(host.change(), "end:flip");
    EXPECT(host.pass({.even = 9'900}), "begin:flip?");
    EXPECT(host.end(), "");
}

void ends_with_what_named_it(void**) {
    Host host;
    host.rule.relief = only(Relief::flip);
    EXPECT(host.pass({.even = 9'900}), "begin:flip");
    host.rule.relief = only(Relief::widen);
    EXPECT(host.pass({.even = 9'900}), "end:flip");
    host.rule.mode = Mode::off;
    host.rule.relief = only(Relief::flip);
    EXPECT(host.pass({.even = 9'900}), "");
    host.rule.mode = Mode::enforce;
    EXPECT(host.pass({.even = 9'900}), "begin:flip");
    EXPECT(host.end(), "end:flip");
}

/// A service of port 15,432 restarts while the range grows.
void remembers_who_served(void**) {
    Host host;
    host.rule.relief = only(Relief::widen);
    host.space().bound_below = 15'432;
    EXPECT(host.pass({.even = 9'000}), "");
    host.space().bound_below = 22;
    EXPECT(host.pass({.even = 9'000}, 59min), "");
    EXPECT(host.pass({.even = 9'000, .odd = 9'000}), "begin:widen");
    assert_int_equal(host.last.low, 15'433);
    EXPECT(host.end(), "end:widen");
    EXPECT(host.pass({.even = 9'000}, 1min), "");
    EXPECT(host.pass({.even = 9'000, .odd = 9'000}), "begin:widen");
    assert_int_equal(host.last.low, 10'000);
}

/// All rungs are named: each in its turn.
void climbs_all(void**) {
    Host host;
    host.rule.source_pool = {parse_address("10.0.0.3").value()};
    EXPECT(host.pass({.even = 9'700}), "begin:flip begin:own_range");
    assert_int_equal(host.last.low, 10'000); // 20,000 below the range, 15,536 above it
    assert_int_equal(host.last.high, 29'999);
    for (int i = 0; i < 4; ++i)
        EXPECT(host.pass({.even = 9'000, .odd = 9'000, .reusable = 9'000}), "");
    EXPECT(host.pass({.even = 9'000, .odd = 9'000, .reusable = 9'000}), "begin:spread");
    assert_int_equal(host.last.sources.size(), 1); // beside its own
    assert_string_equal(host.last.sources.at(0).text().c_str(), "10.0.0.3");
    EXPECT(host.pass({.even = 9'500, .odd = 9'500, .reusable = 9'000}), "begin:refuse");
    assert_int_equal(host.last.refuse_for.count(), 1'000);
    for (int i = 0; i < 3; ++i)
        EXPECT(host.pass({.even = 9'000, .odd = 9'000, .reusable = 9'000}), "");
    EXPECT(host.pass({.even = 9'000, .odd = 9'000, .reusable = 9'000}), "begin:tw_reuse");
}

void spreads_before_the_knee(void**) {
    Host host;
    host.rule.relief = only(Relief::spread);
    EXPECT(host.pass({.even = 9'500}), ""); // over nothing
    host.rule.source_pool = {parse_address("10.0.0.3").value()};
    EXPECT(host.pass({.even = 8'999}), "");
    EXPECT(host.pass({.even = 9'000}), "begin:spread");
}

/// Its ports are outside the range, so that no pass shows that it is needed.
void lasts_while_it_is_in_use(void**) {
    Host host;
    host.rule.relief = only(Relief::own_range);
    EXPECT(host.pass({.even = 9'700}), "begin:own_range");
    const auto order = host.last;
    for (int i = 0; i < 100; ++i) {
        host.ladder.in_use(order, host.now);
        EXPECT(host.pass({}), "");
    }
    for (int i = 0; i < 58; ++i)
        EXPECT(host.pass({}), "");
    EXPECT(host.pass({}), "end:own_range");
}

/// The tuple has gone: so has what it needed, a minute later.
void ends_where_nobody_is_left(void**) {
    Host host;
    host.rule.relief = only(Relief::flip);
    EXPECT(host.pass({.even = 9'900}), "begin:flip");
    for (int i = 0; i < 59; ++i)
        EXPECT(host.pass({}), "");
    EXPECT(host.pass({}), "end:flip");
}

} // namespace

TEST_GROUP(port_ladder) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(flips_at_the_knee_and_back),
        cmocka_unit_test(flips_again_where_the_other_is_used_up),
        cmocka_unit_test(keeps_pace_between_passes),
        cmocka_unit_test(flips_only_to_ports_that_there_are),
        cmocka_unit_test(waits_for_a_pass_where_little_is_opened),
        cmocka_unit_test(climbs),
        cmocka_unit_test(passes_over_what_is_of_no_use),
        cmocka_unit_test(goes_on_after_a_failure),
        cmocka_unit_test(the_range_grows_where_nobody_serves),
        cmocka_unit_test(reports_once_where_it_observes),
        cmocka_unit_test(ends_with_what_named_it),
        cmocka_unit_test(remembers_who_served),
        cmocka_unit_test(climbs_all),
        cmocka_unit_test(spreads_before_the_knee),
        cmocka_unit_test(lasts_while_it_is_in_use),
        cmocka_unit_test(ends_where_nobody_is_left),
    };
    return cmocka_run_group_tests_name("port_ladder", tests, nullptr, nullptr);
}

} // namespace test_port_ladder

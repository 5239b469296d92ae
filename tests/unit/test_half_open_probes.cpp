// SPDX-License-Identifier: Apache-2.0
// What the guard concludes of flows that only read, from keepalive probes that sweeps and looks
// find unanswered, in made-up time.
#include <fmt/format.h>

#include <string>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/half_open_path.h"

namespace test_half_open_probes {

namespace {

using namespace ballast;
using namespace ballast::test;
using namespace std::chrono_literals;

constexpr FlowPlan reader{.first = 10s, .keepalive = 2s, .segments = 100};
constexpr FlowPlan dropped{.first = 10s, .keepalive = 2s, .segments = 100, .is_dropped = true};
constexpr FlowPlan quick{.first = 2s, .keepalive = 1s, .segments = 100, .is_dropped = true};
constexpr FlowPlan slow{.first = 60s, .keepalive = 75s, .segments = 100, .is_dropped = true};
constexpr FlowPlan young{.first = 10s, .keepalive = 2s, .segments = 3, .is_dropped = true};
constexpr FlowPlan ended{
    .first = 4s, .keepalive = 1s, .count = 2, .segments = 100, .is_dropped = true};
constexpr FlowPlan busy{.first = 0ms, .every = 10ms};
constexpr FlowPlan sparse{.first = 0ms, .every = 900ms};
constexpr FlowPlan fresh{.first = 9s, .every = 900ms}; ///< has sent too little to show anything
constexpr FlowPlan idle{.first = 0ms};

struct Found {
    std::string kinds; ///< of the first flow
    milliseconds at{0};
    unsigned tries = 0;
};

Found run(Path& path, milliseconds until) {
    Found found;
    for (milliseconds at = 0ms; at < until; at += 10ms)
        for (const auto& verdict : path.run(at + 10ms))
            if (verdict.key.cookie == 1)
                found = {fmt::format("{}{}{}", found.kinds, found.kinds.empty() ? "" : " ",
                                     name_of(verdict.kind)),
                         at, verdict.tries};
    return found;
}

struct Case {
    const char* name;
    PathPlan path;
    std::vector<FlowPlan> flows; ///< the first is judged
    milliseconds until;
    const char* wanted;
    unsigned tries;
    milliseconds from, to; ///< when it is told
};

std::vector<Case> cases() {
    const Outage for_good{5s, 1h}, while_probed{9s, 15s};
    return {
        Case{"dropped", {}, {dropped, busy}, 60s, "silently_dropped", 4, 16s, 17s},
        Case{"dropped, others say little",
             {},
             {dropped, sparse},
             60s,
             "silently_dropped",
             4,
             16s,
             18s},
        Case{"dropped, probes every second", {}, {quick, busy}, 60s, "silently_dropped", 5, 6s, 7s},
        Case{"dropped, the kernel's own times",
             {},
             {slow, sparse},
             600s,
             "silently_dropped",
             3,
             210s,
             213s},
        Case{"one that sent little", {}, {young, busy}, 60s, "silently_dropped", 4, 16s, 17s},
        Case{"one that sent little, beside another",
             {},
             {young, fresh},
             60s,
             "silently_dropped",
             9,
             26s,
             28s},
        Case{"one that lives", {}, {reader, busy}, 60s, "", 0, 0s, 0s},
        Case{"ended soon after a sweep", {}, {ended, busy}, 60s, "silently_dropped", 2, 6s, 7s},
        Case{"ended while others say little",
             {},
             {ended, sparse},
             60s,
             "silently_dropped",
             2,
             6s,
             8s},
        Case{"ended alone", {}, {ended, idle}, 60s, "path_down", 2, 8s, 9s},
        Case{"alone", {}, {dropped}, 60s, "path_down", 4, 16s, 17s},
        Case{"others are idle", {}, {dropped, idle}, 60s, "path_down", 4, 16s, 17s},
        Case{"path gone", {.outages = {for_good}}, {reader, busy}, 60s, "path_down", 4, 16s, 17s},
        Case{"an outage", {.outages = {while_probed}}, {reader, busy}, 60s, "", 0, 0s, 0s},
    };
}

void kinds_follow_from_the_evidence(void**) {
    for (const Case& c : cases()) {
        Path path(c.path, c.flows);
        const auto found = run(path, c.until);
        if (found.kinds != c.wanted || found.tries != c.tries || found.at < c.from ||
            found.at > c.to)
            fail_msg("%s: '%s' after %u tries at %lld ms", c.name, found.kinds.c_str(), found.tries,
                     static_cast<long long>(found.at.count()));
    }
}

/// However an outage lies: while it lasts nothing lives, and afterwards the probe is answered.
void no_single_outage_is_taken_for_a_drop(void**) {
    std::mt19937 random(2209);
    const auto up_to = [&](int most) {
        return milliseconds(random() % static_cast<unsigned>(most));
    };
    unsigned suspected = 0;
    for (int i = 0; i < 2000; ++i) {
        const auto from = 5000ms + up_to(12'000);
        const auto length = up_to(30'000);
        const FlowPlan probed{
            .first = 4s + up_to(8000), .keepalive = 500ms + up_to(5000), .segments = 100};
        const FlowPlan other{.first = up_to(1000), .every = 10ms + up_to(i % 3 != 0 ? 3000 : 100)};
        Path path({.outages = {{from, from + length}}}, {probed, other});
        for (const auto& verdict : path.run(70s))
            if (verdict.kind == HalfOpenKind::silently_dropped)
                fail_msg("outage %d from %lld for %lld ms", i, static_cast<long long>(from.count()),
                         static_cast<long long>(length.count()));
        suspected += static_cast<unsigned>(path.guard.counts().suspected);
    }
    assert_true(suspected > 500);
}

/// Flows of which little is known, and none but keepalive on the path.
void a_lossy_path_drops_nothing(void**) {
    const FlowPlan probed{.first = 5s, .keepalive = 1s, .segments = 10};
    const auto [wrong, suspected] = lose({probed, probed, probed}, 500, 100s);
    assert_true(suspected > 500);
    if (wrong * 500 > suspected)
        fail_msg("%u wrong of %u suspected", wrong, suspected);
}

void a_fresh_connect_stands_in_for_other_flows(void**) {
    Path path({}, {dropped});
    path.rules.may_connect = true;
    std::vector<HalfOpenVerdict> verdicts;
    unsigned asked = 0;
    for (milliseconds at = 0ms; at < 60s && verdicts.empty(); at += 10ms) {
        verdicts = path.run(at + 10ms);
        for (const auto& peer : path.guard.wants_witness()) {
            ++asked;
            path.guard.on_witness(peer, true, Monotonic{std::chrono::hours(1) + at + 50ms});
        }
    }
    assert_int_equal(verdicts.size(), 1);
    assert_true(verdicts.front().kind == HalfOpenKind::silently_dropped);
    assert_true(asked >= 2 && asked <= 4);
}

} // namespace

TEST_GROUP(half_open_probes) {
    const CMUnitTest tests[] = {cmocka_unit_test(kinds_follow_from_the_evidence),
                                cmocka_unit_test(no_single_outage_is_taken_for_a_drop),
                                cmocka_unit_test(a_lossy_path_drops_nothing),
                                cmocka_unit_test(a_fresh_connect_stands_in_for_other_flows)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_half_open_probes

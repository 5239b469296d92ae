// SPDX-License-Identifier: Apache-2.0
// Which namespaces a sweep visits, in which order, and when it stops.
#include <string>
#include <vector>

#include "daemon/kernel/visit_plan.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_visit_plan {

namespace {

using namespace std::chrono_literals;
using ballast::kernel::VisitPlan;
using Candidates = std::vector<VisitPlan::Candidate>;
using Visits = std::vector<std::uint32_t>;

constexpr VisitPlan::Reasons none{};
constexpr VisitPlan::Reasons unmet{.is_unmet = true};
constexpr VisitPlan::Reasons untuned{.is_untuned = true};
constexpr VisitPlan::Reasons miscounted{.is_miscounted = true};
constexpr VisitPlan::Reasons all{.is_unmet = true, .is_untuned = true, .is_miscounted = true};

/// One sweep: what it visits where a visit costs `cost`, after a pass over files that cost as much.
Visits sweep(VisitPlan& plan, const Candidates& candidates, std::chrono::nanoseconds cost,
             std::chrono::nanoseconds budget) {
    Visits visits;
    plan.begin(candidates, budget);
    auto spent = cost;
    for (auto next = plan.next(spent); next; next = plan.next(spent)) {
        visits.push_back(*next);
        spent += cost;
    }
    return visits;
}

Visits unhurried(VisitPlan& plan, const Candidates& candidates) {
    return sweep(plan, candidates, 1ms, 1h);
}

std::string text(const Visits& visits) {
    std::string text;
    for (const auto netns : visits)
        text += std::to_string(netns) + " ";
    return text;
}

void assert_visits(const Visits& got, const Visits& wanted) {
    assert_string_equal(text(got).c_str(), text(wanted).c_str());
}

void reasons_come_in_order(void**) {
    struct Case {
        const char* what;
        Candidates candidates;
        Visits visits;
    };
    const std::vector<Case> cases{
        {"nobody there", {}, {}},
        {"no reason", {{7, none}}, {7}},
        {"three reasons", {{1, miscounted}, {2, untuned}, {3, unmet}}, {3, 2, 1}},
        {"as they were found", {{5, untuned}, {4, untuned}, {6, untuned}}, {5, 4, 6}},
        {"the worst counts", {{1, none}, {2, unmet}, {3, all}}, {2, 3, 1}},
    };
    for (const auto& [what, candidates, visits] : cases) {
        print_message("# %s\n", what);
        VisitPlan plan;
        assert_visits(unhurried(plan, candidates), visits);
    }
}

void who_has_waited_longest_comes_first(void**) {
    VisitPlan plan;
    const Candidates three{{1, none}, {2, none}, {3, none}};
    assert_visits(sweep(plan, three, 1ms, 2ms), {1});
    assert_visits(sweep(plan, three, 1ms, 2ms), {2});
    assert_visits(sweep(plan, {{1, none}, {2, none}, {3, none}, {4, none}}, 1ms, 3ms), {3, 4});
    assert_visits(sweep(plan, three, 1ms, 3ms), {1, 2});
}

/// Reasons that stay, as those of a socket that no visit can set, hold nobody off for ever.
void every_fourth_visit_is_fair(void**) {
    VisitPlan plan;
    const Candidates crowd{{1, unmet}, {2, unmet}, {3, none}, {4, untuned}};
    Visits visits;
    for (int i = 0; i < 12; ++i)
        for (const auto netns : sweep(plan, crowd, 1ms, 1ms))
            visits.push_back(netns);
    assert_visits(visits, {1, 2, 1, 3, 2, 1, 2, 4, 1, 2, 1, 3});
}

void it_stops_before_the_budget_is_exceeded(void**) {
    struct Case {
        const char* what;
        std::chrono::nanoseconds cost, budget;
        std::size_t visits;
    };
    constexpr Case cases[] = {
        {"one always", 10ms, 0ms, 1},    {"one more would be too many", 10ms, 29ms, 1},
        {"it just fits", 10ms, 30ms, 2}, {"ten fit", 1ms, 11ms, 10},
        {"all of them", 1ms, 1s, 20},    {"they cost nothing", 0ms, 0ms, 20},
    };
    Candidates candidates;
    for (std::uint32_t netns = 1; netns <= 20; ++netns)
        candidates.push_back({netns, none});
    for (const auto& [what, cost, budget, visits] : cases) {
        print_message("# %s\n", what);
        VisitPlan plan;
        assert_int_equal(sweep(plan, candidates, cost, budget).size(), visits);
    }
}

/// A number may be given to another namespace, which nobody has visited.
void what_is_gone_is_forgotten(void**) {
    VisitPlan plan;
    assert_visits(unhurried(plan, {{1, none}, {2, none}}), {1, 2});
    assert_visits(unhurried(plan, {{1, none}}), {1});
    assert_visits(sweep(plan, {{1, none}, {2, none}}, 1ms, 2ms), {2});
}

} // namespace

TEST_GROUP(visit_plan) {
    const CMUnitTest tests[] = {cmocka_unit_test(reasons_come_in_order),
                                cmocka_unit_test(who_has_waited_longest_comes_first),
                                cmocka_unit_test(every_fourth_visit_is_fair),
                                cmocka_unit_test(it_stops_before_the_budget_is_exceeded),
                                cmocka_unit_test(what_is_gone_is_forgotten)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_visit_plan

// SPDX-License-Identifier: Apache-2.0
// When a destination's limit becomes news, and when it ceases to be.
#include <string>
#include <vector>

#include "daemon/guards/limit/limit_guard.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_limit_guard {

namespace {

using ballast::DestinationRow;
using ballast::Finding;
using ballast::guards::LimitGuard;
using ballast::guards::LimitReading;
using std::chrono::seconds;
using Time = std::chrono::steady_clock::time_point;

DestinationRow describe(std::uint32_t index) {
    DestinationRow row;
    row.endpoint.port = static_cast<std::uint16_t>(index);
    row.service = "db";
    row.max_connections = 10;
    row.in_use = 10;
    return row;
}

std::vector<Finding> read(LimitGuard& guard, const std::vector<LimitReading>& readings, Time now) {
    return guard.read(readings, now, describe);
}

void episode_has_a_beginning_and_an_end(void**) {
    LimitGuard guard;
    Time now{};
    read(guard, {}, now);
    auto findings = read(guard, {{7, {3}, {}}}, now += seconds(1));
    assert_int_equal(findings.size(), 1);
    assert_string_equal(name_of(findings[0].reason).data(), "limit_refusing");
    assert_string_equal(
        findings[0].evidence.c_str(),
        "in_use=10 max_connections=10 refused=3 refused_by_limit=3 admitted_over=0");
    assert_int_equal(read(guard, {{7, {9}, {}}}, now += seconds(1)).size(), 0);
    assert_int_equal(read(guard, {{7, {9}, {}}}, now += seconds(59)).size(), 0);
    findings = read(guard, {{7, {9}, {}}}, now += seconds(1));
    assert_int_equal(findings.size(), 1);
    assert_string_equal(name_of(findings[0].reason).data(), "limit_cleared");
    assert_string_equal(
        findings[0].evidence.c_str(),
        "in_use=10 max_connections=10 refused=9 refused_by_limit=9 admitted_over=0");
    assert_int_equal(read(guard, {{7, {9}, {}}}, now += seconds(600)).size(), 0);
}

void observe_mode_says_what_it_would_have_done(void**) {
    LimitGuard guard;
    Time now{};
    read(guard, {}, now);
    const auto findings = read(guard, {{7, {}, {2}}}, now += seconds(1));
    assert_int_equal(findings.size(), 1);
    assert_string_equal(name_of(findings[0].reason).data(), "limit_would_refuse");
}

void what_an_earlier_daemon_counted_is_no_news(void**) {
    LimitGuard guard;
    Time now{};
    assert_int_equal(read(guard, {{7, {500}, {}}}, now).size(), 0);
    assert_int_equal(read(guard, {{7, {500}, {}}}, now += seconds(1)).size(), 0);
    assert_int_equal(read(guard, {{7, {501}, {}}}, now += seconds(1)).size(), 1);
}

void evidence_tells_the_reasons_apart(void**) {
    LimitGuard guard;
    Time now{};
    read(guard, {{7, {5, 5, 5, 5}, {}}}, now);
    auto findings = read(guard, {{7, {5, 5, 7, 6}, {0, 4}}}, now += seconds(1));
    assert_int_equal(findings.size(), 1);
    assert_string_equal(findings[0].evidence.c_str(),
                        "in_use=10 max_connections=10 refused=3 refused_by_consumer=2 "
                        "refused_by_rate=1 admitted_over=4 admitted_over_by_total=4");
    read(guard, {{7, {6, 5, 7, 6}, {0, 4}}}, now += seconds(1));
    findings = read(guard, {{7, {6, 5, 7, 6}, {0, 4}}}, now += seconds(60));
    assert_int_equal(findings.size(), 1);
    assert_string_equal(name_of(findings[0].reason).data(), "limit_cleared");
    assert_string_equal(findings[0].evidence.c_str(),
                        "in_use=10 max_connections=10 refused=4 refused_by_limit=1 "
                        "refused_by_consumer=2 refused_by_rate=1 admitted_over=4 "
                        "admitted_over_by_total=4");
}

/// The sum went up, but one reason's count went back: another destination.
void one_count_that_goes_back_is_enough(void**) {
    LimitGuard guard;
    Time now{};
    read(guard, {{7, {5, 1}, {}}}, now);
    const auto findings = read(guard, {{7, {2, 8}, {}}}, now += seconds(1));
    assert_int_equal(findings.size(), 1);
    assert_string_equal(findings[0].evidence.c_str(),
                        "in_use=10 max_connections=10 refused=10 refused_by_limit=2 "
                        "refused_by_total=8 admitted_over=0");
}

void recycled_index_begins_anew(void**) {
    LimitGuard guard;
    Time now{};
    read(guard, {{7, {500}, {}}}, now);
    const auto findings = read(guard, {{7, {2}, {}}}, now += seconds(1));
    assert_int_equal(findings.size(), 1);
    assert_string_equal(
        findings[0].evidence.c_str(),
        "in_use=10 max_connections=10 refused=2 refused_by_limit=2 admitted_over=0");
}

void flood_of_findings_is_coalesced_and_counted(void**) {
    LimitGuard guard;
    Time now{};
    read(guard, {}, now);
    std::vector<LimitReading> readings;
    for (std::uint32_t index = 0; index < LimitGuard::most_findings + 20; ++index)
        readings.push_back({index, {1}, {}});
    assert_int_equal(read(guard, readings, now += seconds(1)).size(), LimitGuard::most_findings);
    assert_int_equal(guard.coalesced(), 20);
}

} // namespace

TEST_GROUP(limit_guard) {
    const CMUnitTest tests[] = {cmocka_unit_test(episode_has_a_beginning_and_an_end),
                                cmocka_unit_test(observe_mode_says_what_it_would_have_done),
                                cmocka_unit_test(what_an_earlier_daemon_counted_is_no_news),
                                cmocka_unit_test(evidence_tells_the_reasons_apart),
                                cmocka_unit_test(one_count_that_goes_back_is_enough),
                                cmocka_unit_test(recycled_index_begins_anew),
                                cmocka_unit_test(flood_of_findings_is_coalesced_and_counted)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_limit_guard

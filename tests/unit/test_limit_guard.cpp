// SPDX-License-Identifier: Apache-2.0
// When a destination's limit becomes news, and when it ceases to be.
#include <string>
#include <vector>

#include "daemon/guards/limit_guard.h"
#include "tests/harness/cmocka.hpp"

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
    auto findings = read(guard, {{7, 3, 0}}, now += seconds(1));
    assert_int_equal(findings.size(), 1);
    assert_string_equal(findings[0].reason.c_str(), "limit_refusing");
    assert_string_equal(findings[0].evidence.c_str(),
                        "in_use=10 max_connections=10 refused=3 admitted_over=0");
    assert_int_equal(read(guard, {{7, 9, 0}}, now += seconds(1)).size(), 0);
    assert_int_equal(read(guard, {{7, 9, 0}}, now += seconds(59)).size(), 0);
    findings = read(guard, {{7, 9, 0}}, now += seconds(1));
    assert_int_equal(findings.size(), 1);
    assert_string_equal(findings[0].reason.c_str(), "limit_cleared");
    assert_string_equal(findings[0].evidence.c_str(),
                        "in_use=10 max_connections=10 refused=9 admitted_over=0");
    assert_int_equal(read(guard, {{7, 9, 0}}, now += seconds(600)).size(), 0);
}

void observe_mode_says_what_it_would_have_done(void**) {
    LimitGuard guard;
    Time now{};
    read(guard, {}, now);
    const auto findings = read(guard, {{7, 0, 2}}, now += seconds(1));
    assert_int_equal(findings.size(), 1);
    assert_string_equal(findings[0].reason.c_str(), "limit_would_refuse");
}

void what_an_earlier_daemon_counted_is_no_news(void**) {
    LimitGuard guard;
    Time now{};
    assert_int_equal(read(guard, {{7, 500, 0}}, now).size(), 0);
    assert_int_equal(read(guard, {{7, 500, 0}}, now += seconds(1)).size(), 0);
    assert_int_equal(read(guard, {{7, 501, 0}}, now += seconds(1)).size(), 1);
}

void recycled_index_begins_anew(void**) {
    LimitGuard guard;
    Time now{};
    read(guard, {{7, 500, 0}}, now);
    const auto findings = read(guard, {{7, 2, 0}}, now += seconds(1));
    assert_int_equal(findings.size(), 1);
    assert_string_equal(findings[0].evidence.c_str(),
                        "in_use=10 max_connections=10 refused=2 admitted_over=0");
}

void flood_of_findings_is_coalesced_and_counted(void**) {
    LimitGuard guard;
    Time now{};
    read(guard, {}, now);
    std::vector<LimitReading> readings;
    for (std::uint32_t index = 0; index < LimitGuard::most_findings + 20; ++index)
        readings.push_back({index, 1, 0});
    assert_int_equal(read(guard, readings, now += seconds(1)).size(), LimitGuard::most_findings);
    assert_int_equal(guard.coalesced(), 20);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {cmocka_unit_test(episode_has_a_beginning_and_an_end),
                                cmocka_unit_test(observe_mode_says_what_it_would_have_done),
                                cmocka_unit_test(what_an_earlier_daemon_counted_is_no_news),
                                cmocka_unit_test(recycled_index_begins_anew),
                                cmocka_unit_test(flood_of_findings_is_coalesced_and_counted)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

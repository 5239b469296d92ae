// SPDX-License-Identifier: Apache-2.0
// daemon/api/metrics: series, labels, and the bound on their number.
#include <array>
#include <string>

#include "daemon/api/metrics.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_metrics {

namespace {

using namespace ballast;
using namespace ballast::api;

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
        ++found;
    return found;
}

DestinationRow row(std::uint16_t port, std::uint32_t in_use) {
    DestinationRow made;
    made.endpoint = {parse_address("2001:db8::5").value(), port};
    made.service = "web";
    made.in_use = in_use;
    return made;
}

FindingsStatus some_findings() {
    FindingsStatus status;
    status.made.at(static_cast<std::size_t>(findings::Reason::half_open_flow)) = 27;
    status.coalesced = 28;
    status.kept = 29;
    status.unsaved = 30;
    status.left_out = 35;
    status.owners_skipped = 31;
    status.lost = 32;
    status.saves_failed = 33;
    status.unreadable = 34;
    return status;
}

void daemon_series(void**) {
    DaemonStatus status;
    status.version = "0.1.0";
    status.abi_version = 7;
    status.armed = false;
    status.governor_dry_run = true;
    status.policy_error = "bad";
    status.half_open = {
        1, 2, {3, 4, 5, 20, 21, 22, 23, 24, 6, 7}, 8, 9, 10, 12, 13, 14, 15, 16, 17, true, 18, 19};
    status.keepalive = {24, 25};
    status.findings = some_findings();
    status.sweep.last_cpu = std::chrono::microseconds(4'200);
    status.sweep.interval = std::chrono::milliseconds(5'000);
    status.sweep.repairs = 2;
    const std::string text = metrics_text(status, {}, {});
    for (const char* line : {
             R"(ballast_build_info{version="0.1.0",abi_version="7"} 1)",
             "ballast_armed 0",
             "ballast_governor_dry_run 1",
             "ballast_policy_refused 1",
             R"(ballast_half_open_flows_total{kind="silently_dropped"} 3)",
             R"(ballast_half_open_flows_total{kind="path_down"} 4)",
             R"(ballast_half_open_flows_total{kind="peer_hung"} 5)",
             R"(ballast_half_open_flows_total{kind="not_accepted"} 20)",
             R"(ballast_half_open_flows_total{kind="local_fault"} 24)",
             R"(ballast_half_open_flows_total{kind="refused_late"} 6)",
             R"(ballast_half_open_flows_total{kind="cleared"} 7)",
             R"(ballast_half_open_losses_total{reason="table_full"} 12)",
             R"(ballast_half_open_losses_total{reason="not_looked_at"} 13)",
             R"(ballast_half_open_losses_total{reason="coalesced"} 10)",
             R"(ballast_half_open_resets_total{outcome="done"} 14)",
             R"(ballast_half_open_resets_total{outcome="withheld"} 15)",
             R"(ballast_half_open_resets_total{outcome="failed"} 17)",
             "ballast_half_open_resets_waiting 16",
             "ballast_half_open_resets_held 1",
             "ballast_half_open_dead_paths 18",
             "ballast_half_open_suspects 1",
             "ballast_keepalive_connections 24",
             "# TYPE ballast_findings_total counter",
             R"(ballast_findings_total{reason="half_open_flow"} 27)",
             R"(ballast_findings_total{reason="hook_lost"} 0)",
             "ballast_findings_coalesced_total 28",
             "ballast_findings_kept 29",
             "ballast_findings_unsaved 30",
             R"(ballast_finding_losses_total{reason="left_out"} 35)",
             R"(ballast_finding_losses_total{reason="owners_skipped"} 31)",
             R"(ballast_finding_losses_total{reason="lost"} 32)",
             R"(ballast_finding_losses_total{reason="saves_failed"} 33)",
             R"(ballast_finding_losses_total{reason="unreadable"} 34)",
             "ballast_keepalive_wanted 25",
             "ballast_sweep_cpu_seconds 0.0042",
             "ballast_sweep_interval_seconds 5",
             "ballast_repairs_total 2",
             "# TYPE ballast_repairs_total counter",
             "# TYPE ballast_drift gauge",
             "ballast_destinations_left_out 0",
         })
        assert_true(has_line(text, line));
}

/// Whatever the programs count is a series of its group's metric.
void every_counter_is_a_series(void**) {
    for (std::size_t i = 0; i < kCounters.size(); ++i) {
        DaemonStatus status;
        status.counters[static_cast<Counter>(i)] = 7;
        const std::string text = metrics_text(status, {}, {});
        const auto& row = kCounters.at(i);
        const auto& group = kCounterGroups.at(static_cast<std::size_t>(row.group));
        const std::string metric = fmt::format("ballast_{}_total", group.name);
        assert_true(has_line(text, fmt::format("# TYPE {} counter", metric)));
        assert_true(has_line(text, fmt::format("{}{{reason=\"{}\"}} 7", metric, row.name)));
    }
}

void series_of_what_cannot_be_done(void**) {
    DaemonStatus status;
    status.hooks_lost = {"connect4", "connect6"};
    status.hooks_reattached = 3;
    status.recursion_misses = 7;
    status.sweep.namespaces_missed = 4;
    const std::string text = metrics_text(status, {}, {});
    for (const char* line :
         {"ballast_hooks_lost 2", "ballast_hooks_reattached_total 3",
          "ballast_recursion_misses_total 7", "ballast_network_namespaces_missed 4"})
        assert_true(has_line(text, line));
}

void destination_series(void**) {
    DestinationRow limited = row(443, 9);
    limited.max_connections = 10;
    limited.refused = 431;
    limited.drift = -1;
    const std::string text = metrics_text({}, {limited, row(80, 3)}, {});
    const std::string labels = R"({service="web",destination="[2001:db8::5]:443"})";
    assert_true(has_line(text, "ballast_destination_in_use" + labels + " 9"));
    assert_true(has_line(text, "ballast_destination_max_connections" + labels + " 10"));
    assert_true(has_line(text, "ballast_destination_refused_total" + labels + " 431"));
    assert_true(has_line(text, "ballast_destination_drift" + labels + " -1"));
    assert_int_equal(count(text, "\nballast_destination_max_connections{"), 1);
    assert_int_equal(count(text, "\nballast_destination_in_use{"), 2);
}

void bounded(void**) {
    std::vector<DestinationRow> rows;
    for (std::uint16_t port = 1; port <= kMaxMetricDestinations + 7; ++port)
        rows.push_back(row(port, port));
    const std::string text = metrics_text({}, rows, {});
    assert_int_equal(count(text, "\nballast_destination_in_use{"), kMaxMetricDestinations);
    assert_true(has_line(text, "ballast_destinations_left_out 7"));
    assert_int_equal(count(text, "[2001:db8::5]:7\""), 0); // the least busy are left out
    assert_true(count(text, "[2001:db8::5]:8\"") > 0);
}

BreakerRow breaker(std::uint16_t port, BreakerState state, std::uint64_t refused) {
    BreakerRow made;
    made.endpoint = {parse_address("2001:db8::5").value(), port};
    made.service = "web";
    made.state = state;
    made.refused = refused;
    return made;
}

void breaker_series(void**) {
    std::vector<BreakerRow> rows{breaker(443, BreakerState::open, 4711),
                                 breaker(80, BreakerState::half_open, 0)};
    rows[0].opened = 2;
    rows[1].forced = BreakerForce::closed;
    const std::string text = metrics_text({}, {}, rows);
    const std::string labels = R"({service="web",destination="[2001:db8::5]:443"})";
    for (const std::string& line : {
             std::string("# TYPE ballast_breakers gauge"),
             std::string(R"(ballast_breakers{state="closed"} 0)"),
             std::string(R"(ballast_breakers{state="open"} 1)"),
             std::string(R"(ballast_breakers{state="half-open"} 1)"),
             std::string(R"(ballast_breakers{state="ramp"} 0)"),
             std::string(R"(ballast_breakers_forced{to="open"} 0)"),
             std::string(R"(ballast_breakers_forced{to="closed"} 1)"),
             std::string("# TYPE ballast_breaker_opened_total counter"),
             "ballast_breaker_opened_total" + labels + " 2",
             "ballast_breaker_refused_total" + labels + " 4711",
         })
        assert_true(has_line(text, line));
    assert_int_equal(count(text, "\nballast_breaker_refused_total{"), 2);
}

void breakers_are_bounded(void**) {
    std::vector<BreakerRow> rows;
    for (std::uint16_t port = 1; port <= kMaxMetricDestinations + 3; ++port)
        rows.push_back(breaker(port, BreakerState::open, port));
    const std::string text = metrics_text({}, {}, rows);
    assert_int_equal(count(text, "\nballast_breaker_refused_total{"), kMaxMetricDestinations);
    assert_true(has_line(text, "ballast_breakers_left_out 3"));
    assert_true(has_line(text, R"(ballast_breakers{state="open"} 503)")); // all are counted
    assert_int_equal(count(text, "[2001:db8::5]:3\""), 0); // those that refused least are left out
    assert_true(count(text, "[2001:db8::5]:4\"") > 0);
}

} // namespace

TEST_GROUP(metrics) {
    const CMUnitTest tests[] = {cmocka_unit_test(daemon_series),
                                cmocka_unit_test(every_counter_is_a_series),
                                cmocka_unit_test(series_of_what_cannot_be_done),
                                cmocka_unit_test(destination_series),
                                cmocka_unit_test(bounded),
                                cmocka_unit_test(breaker_series),
                                cmocka_unit_test(breakers_are_bounded)};
    return cmocka_run_group_tests_name("metrics", tests, nullptr, nullptr);
}

} // namespace test_metrics

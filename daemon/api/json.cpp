// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/json.h"

#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>

#include "daemon/api/json_values.h"
#include "daemon/model/columns/flow.h"
#include "daemon/model/columns/health.h"
#include "daemon/model/names.h"
#include "daemon/model/state_names.h"

namespace ballast::api {
namespace {

double cpu_percent(const SweepStatus& sweep) {
    if (sweep.interval.count() <= 0)
        return 0;
    const std::chrono::duration<double> cpu = sweep.last_cpu;
    const std::chrono::duration<double> interval = sweep.interval;
    return std::round(cpu / interval * 100'000) / 1'000;
}

Json encode_policy(const DaemonStatus& status, WallTime now) {
    return {{"file", status.policy_file},
            {"generation", status.policy_generation},
            {"loaded_at", rfc3339(status.policy_loaded)},
            {"age_ms", milliseconds_between(status.policy_loaded, now)},
            {"services", status.services},
            {"error", or_null(status.policy_error)}};
}

Json encode_totals(const LimitTotals& totals) {
    return {{"at_limit", totals.at_limit},
            {"over_limit", totals.over_limit},
            {"refused", totals.refused},
            {"admitted_over_limit", totals.admitted_over},
            {"drifted", totals.drifted}};
}

Json encode_capacity(const DaemonStatus& status) {
    return {{"destinations", status.destinations},
            {"destinations_max", status.destinations_max},
            {"reservations", status.reservations},
            {"reservations_max", status.reservations_max}};
}

/// {"destinations_full": N, ...}: a member for each counter of the group.
Json encode_counters(const Counters& counters, CounterGroup group) {
    Json json = Json::object();
    counters.of(group, [&](std::string_view name, std::uint64_t count) {
        json[std::string(name)] = count;
    });
    return json;
}

void add_counters(Json& json, const Counters& counters) {
    for (std::size_t group = 0; group < kCounterGroups.size(); ++group)
        json[std::string(kCounterGroups.at(group).name)] =
            encode_counters(counters, static_cast<CounterGroup>(group));
}

Json encode_half_open(const HalfOpenStatus& flows) {
    Json json = {{"suspects", flows.suspects}, {"suspected", flows.suspected}};
    for (std::size_t i = 0; i < kHalfOpenKinds; ++i)
        json[std::string(kHalfOpenKindNames.at(i))] = flows.verdicts.at(i);
    json.update({{"recovered", flows.recovered},
                 {"ended", flows.ended},
                 {"coalesced", flows.coalesced},
                 {"reset", flows.reset},
                 {"reset_withheld", flows.reset_withheld},
                 {"reset_waiting", flows.reset_waiting},
                 {"holding", flows.is_holding},
                 {"dead_paths", flows.dead_paths},
                 {"paths", flows.paths}});
    return json;
}

/// The daemon's own losses, in addition to those of the programs.
void add_losses(Json& losses, const HalfOpenStatus& flows) {
    losses["table_full"] = flows.table_full;
    losses["not_looked_at"] = flows.not_looked_at;
    losses["reset_failed"] = flows.reset_failed;
}

Json encode_keepalive(const KeepaliveStatus& keepalive) {
    return {{"kept_alive", keepalive.kept_alive}, {"wanted", keepalive.wanted}};
}

Json encode_findings(const FindingsStatus& status) {
    std::array<std::uint64_t, findings::kSeverityNames.size()> by_severity{};
    for (const auto& row : findings::kReasons)
        by_severity.at(static_cast<std::size_t>(row.severity)) +=
            status.made.at(static_cast<std::size_t>(row.reason));
    Json json = Json::object();
    for (std::size_t i = 0; i < by_severity.size(); ++i)
        json[std::string(findings::kSeverityNames.at(i))] = by_severity.at(i);
    json["coalesced"] = status.coalesced;
    json["kept"] = status.kept;
    json["unsaved"] = status.unsaved;
    json["left_out"] = status.left_out;
    json["owners_skipped"] = status.owners_skipped;
    return json;
}

Json encode_losses(const FindingsStatus& status) {
    return {{"lost", status.lost},
            {"saves_failed", status.saves_failed},
            {"unreadable", status.unreadable}};
}

Json encode_sweep(const SweepStatus& sweep) {
    using std::chrono::duration_cast;
    return {{"sweeps", sweep.sweeps},
            {"failures", sweep.failures},
            {"interval_ms", sweep.interval.count()},
            {"last_cpu_us", duration_cast<std::chrono::microseconds>(sweep.last_cpu).count()},
            {"cpu_percent", cpu_percent(sweep)},
            {"sockets", sweep.sockets},
            {"time_wait", sweep.time_wait},
            {"namespaces", sweep.namespaces},
            {"namespaces_visited", sweep.namespaces_visited},
            {"namespaces_missed", sweep.namespaces_missed},
            {"held_ms", sweep.held.count()},
            {"held_in", sweep.held_in},
            {"drift", sweep.drift},
            {"repairs", sweep.repairs}};
}

} // namespace

LimitTotals total_limits(const std::vector<DestinationRow>& destinations) {
    LimitTotals totals;
    for (const DestinationRow& row : destinations) {
        const bool limited = row.max_connections && row.mode != Mode::off;
        totals.at_limit += limited && row.in_use >= *row.max_connections;
        totals.over_limit += limited && row.in_use > *row.max_connections;
        totals.refused += row.refused;
        totals.admitted_over += row.over_limit;
        totals.drifted += row.drift != 0;
    }
    return totals;
}

std::int64_t milliseconds_between(WallTime earlier, WallTime later) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(later - earlier).count();
    return ms > 0 ? ms : 0;
}

Json envelope(std::string_view kind) {
    return {{"schema", kSchemaVersion}, {"kind", kind}};
}

Json encode_status(const DaemonStatus& status, const LimitTotals& totals,
                   const BreakerCounts& breakers, WallTime now) {
    Json json = envelope("status");
    json["version"] = status.version;
    json["abi_version"] = status.abi_version;
    json["kernel"] = status.kernel;
    json["cgroup"] = status.cgroup;
    json["bpffs"] = status.bpffs;
    json["pid"] = status.pid;
    json["started_at"] = rfc3339(status.started);
    json["uptime_ms"] = milliseconds_between(status.started, now);
    json["armed"] = status.armed;
    json["limit_mode"] = name_of(status.limit_mode);
    json["adopted_pins"] = status.adopted_pins;
    json["policy"] = encode_policy(status, now);
    json["hooks"] = {{"lost", status.hooks_lost},
                     {"reattached", status.hooks_reattached},
                     {"recursion_misses", status.recursion_misses}};
    json["limits"] = encode_totals(totals);
    json["capacity"] = encode_capacity(status);
    add_counters(json, status.counters);
    json["governor"] = {{"dry_run", status.governor_dry_run}};
    json["breakers"] = {{"refusing", breakers.refusing},
                        {"forced_open", breakers.forced_open},
                        {"forced_closed", breakers.forced_closed}};
    json["half_open"] = encode_half_open(status.half_open);
    add_losses(json["half_open_losses"], status.half_open);
    json["keepalive"] = encode_keepalive(status.keepalive);
    json["findings"] = encode_findings(status.findings);
    json["finding_losses"] = encode_losses(status.findings);
    json["ports"] = encode_ports(status.ports);
    json["listeners"] = encode_listeners(status.listeners);
    json["shed"] = encode_shed(status.shed);
    json["sweep"] = encode_sweep(status.sweep);
    return json;
}

Json json_of(const Scalar& scalar) {
    return std::visit(
        [](const auto& value) -> Json {
            if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::monostate>)
                return nullptr;
            else
                return value;
        },
        scalar.value);
}

Json json_of(const Cell& cell) {
    if (const auto* scalar = std::get_if<Scalar>(&cell.value))
        return json_of(*scalar);
    Json json = Json::object();
    for (const auto& member : std::get<std::vector<Member>>(cell.value))
        json[std::string(member.key)] = json_of(member.value);
    return json;
}

Json encode_health(const HealthRow& row) {
    return encode_row(row, kHealthColumns);
}

Json encode_flow(const FlowRow& row) {
    return encode_row(row, kFlowColumns);
}

Json encode_error(std::string_view code, std::string_view message, std::string_view hint) {
    return {{"schema", kSchemaVersion},
            {"error", {{"code", code}, {"message", message}, {"hint", or_null(hint)}}}};
}

std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace ballast::api

// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/metrics.h"

#include <algorithm>
#include <sstream>
#include <tuple>
#include <utility>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "daemon/api/breakers.h"

namespace ballast::api {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

MetricFamily family(std::string name, std::string help, MetricType type) {
    MetricFamily made;
    made.name = std::move(name);
    made.help = std::move(help);
    made.type = type;
    return made;
}

void add(MetricFamily& to, double value, Labels labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    if (to.type == MetricType::Counter)
        metric.counter.value = value;
    else
        metric.gauge.value = value;
    to.metric.push_back(std::move(metric));
}

/// Families are written one at a time: together those of 500 destinations would take megabytes.
class Text {
public:
    void write(MetricFamily one) {
        std::vector<MetricFamily> families;
        families.push_back(std::move(one));
        serializer_.Serialize(out_, families);
    }

    void gauge(std::string name, std::string help, double value) {
        single(family(std::move(name), std::move(help), MetricType::Gauge), value);
    }

    void counter(std::string name, std::string help, std::uint64_t value) {
        single(family(std::move(name), std::move(help), MetricType::Counter),
               static_cast<double>(value));
    }

    [[nodiscard]] std::string take() { return std::move(out_).str(); }

private:
    void single(MetricFamily one, double value) {
        add(one, value);
        write(std::move(one));
    }

    std::ostringstream out_;
    prometheus::TextSerializer serializer_;
};

double seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

void write_daemon(Text& text, const DaemonStatus& status) {
    MetricFamily build =
        family("ballast_build_info", "Version of the daemon; always 1.", MetricType::Gauge);
    add(build, 1,
        {{"version", status.version}, {"abi_version", std::to_string(status.abi_version)}});
    text.write(std::move(build));
    text.gauge("ballast_start_time_seconds", "When the daemon started, since the epoch.",
               seconds(status.started.time_since_epoch()));
    text.gauge("ballast_armed", "0: the kill switch is on and everything observes.",
               status.armed ? 1 : 0);
    text.gauge("ballast_governor_dry_run",
               "1: the governor decides and reports only, so no breaker opens.",
               status.governor_dry_run ? 1 : 0);
    text.gauge("ballast_hooks_lost",
               "Programs that somebody detached and that could not be attached again.",
               static_cast<double>(status.hooks_lost.size()));
    text.counter("ballast_hooks_reattached_total",
                 "Times that a program was attached again after somebody detached it.",
                 status.hooks_reattached);
    text.counter("ballast_recursion_misses_total",
                 "Runs of tracing programs that the kernel left out; normally 0.",
                 status.recursion_misses);
    text.gauge("ballast_policy_generation", "Grows by one with each policy put in force.",
               static_cast<double>(status.policy_generation));
    text.gauge("ballast_policy_refused", "1: the newest policy file was refused.",
               status.policy_error.empty() ? 0 : 1);
    text.gauge("ballast_policy_loaded_timestamp_seconds", "When the policy in force was read.",
               seconds(status.policy_loaded.time_since_epoch()));
    text.gauge("ballast_services", "Services of the policy in force.", status.services);
}

void write_capacity(Text& text, const DaemonStatus& status) {
    text.gauge("ballast_destinations", "Governed destinations.", status.destinations);
    text.gauge("ballast_destinations_max", "Places for governed destinations.",
               status.destinations_max);
    text.gauge("ballast_reservations", "Reservations held.",
               static_cast<double>(status.reservations));
    text.gauge("ballast_reservations_max", "Places for reservations.",
               static_cast<double>(status.reservations_max));
}

void write_counters(Text& text, const DaemonStatus& status) {
    for (std::size_t group = 0; group < kCounterGroups.size(); ++group) {
        const auto& row = kCounterGroups.at(group);
        MetricFamily events = family(fmt::format("ballast_{}_total", row.name),
                                     std::string(row.help), MetricType::Counter);
        const auto one = [&](std::string_view reason, std::uint64_t count) {
            add(events, static_cast<double>(count), {{"reason", std::string(reason)}});
        };
        status.counters.of(static_cast<CounterGroup>(group), one);
        if (static_cast<CounterGroup>(group) == CounterGroup::half_open_losses) {
            one("table_full", status.half_open.table_full);
            one("not_looked_at", status.half_open.not_looked_at);
            one("coalesced", status.half_open.coalesced);
        }
        text.write(std::move(events));
    }
}

void write_half_open(Text& text, const HalfOpenStatus& flows) {
    MetricFamily found = family("ballast_half_open_flows_total",
                                "Flows found half-open, by kind; and of those, the "
                                "ones that were heard from again (cleared).",
                                MetricType::Counter);
    const auto one = [](MetricFamily& to, const char* label, std::string_view name,
                        std::uint64_t count) {
        add(to, static_cast<double>(count), {{label, std::string(name)}});
    };
    for (std::size_t i = 0; i < kHalfOpenKinds; ++i)
        one(found, "kind", kHalfOpenKindNames.at(i), flows.verdicts.at(i));
    text.write(std::move(found));
    MetricFamily resets = family("ballast_half_open_resets_total",
                                 "Half-open flows that were to be reset, by what became of them: "
                                 "done, withheld (observe, dry run), failed.",
                                 MetricType::Counter);
    one(resets, "outcome", "done", flows.reset);
    one(resets, "outcome", "withheld", flows.reset_withheld);
    one(resets, "outcome", "failed", flows.reset_failed);
    text.write(std::move(resets));
    text.gauge("ballast_half_open_resets_waiting", "Half-open flows that wait to be reset.",
               static_cast<double>(flows.reset_waiting));
    text.gauge("ballast_half_open_resets_held",
               "1: most destinations send nothing, so only what is proven dead is reset.",
               flows.is_holding ? 1 : 0);
    text.gauge("ballast_half_open_dead_paths", "Destinations that send nothing.",
               static_cast<double>(flows.dead_paths));
    text.gauge("ballast_half_open_suspects", "Flows under suspicion.",
               static_cast<double>(flows.suspects));
}

void write_keepalive(Text& text, const KeepaliveStatus& keepalive) {
    text.gauge("ballast_keepalive_connections", "Connections with keepalive of Ballast's.",
               static_cast<double>(keepalive.kept_alive));
    text.gauge("ballast_keepalive_wanted", "Connections that would have it if the guard enforced.",
               static_cast<double>(keepalive.wanted));
}

void write_findings(Text& text, const FindingsStatus& status) {
    MetricFamily made =
        family("ballast_findings_total", "Findings, those that were coalesced included.",
               MetricType::Counter);
    for (const auto& row : findings::kReasons)
        add(made, static_cast<double>(status.made.at(static_cast<std::size_t>(row.reason))),
            {{"reason", std::string(row.code)}});
    text.write(std::move(made));
    text.counter("ballast_findings_coalesced_total",
                 "Findings that are counted by one that is alike and came just before.",
                 status.coalesced);
    text.gauge("ballast_findings_kept", "Findings in the history.",
               static_cast<double>(status.kept));
    text.gauge("ballast_findings_unsaved", "Findings that wait to be saved.",
               static_cast<double>(status.unsaved));
    MetricFamily losses =
        family("ballast_finding_losses_total",
               "Findings never made (left_out) or saved (lost), saves that failed (saves_failed), "
               "rows that could not be understood (unreadable), sockets whose "
               "owner was not looked for to the end (owners_skipped).",
               MetricType::Counter);
    const auto one = [&](const char* reason, std::uint64_t count) {
        add(losses, static_cast<double>(count), {{"reason", reason}});
    };
    one("lost", status.lost);
    one("saves_failed", status.saves_failed);
    one("unreadable", status.unreadable);
    one("left_out", status.left_out);
    one("owners_skipped", status.owners_skipped);
    text.write(std::move(losses));
}

void write_ports(Text& text, const PortsStatus& ports) {
    MetricFamily states = family(
        "ballast_port_tuples", "Pairs of source and destination by the state of their local ports.",
        MetricType::Gauge);
    for (std::size_t i = 0; i < kPortStates; ++i)
        add(states, static_cast<double>(ports.states.at(i)),
            {{"state", std::string(kPortStateNames.at(i))}});
    text.write(std::move(states));
    MetricFamily reliefs =
        family("ballast_port_reliefs", "Network namespaces in which that relief is in force.",
               MetricType::Gauge);
    for (std::size_t i = 0; i < kReliefs; ++i)
        add(reliefs, static_cast<double>(ports.in_force.at(i)),
            {{"relief", std::string(kReliefNames.at(i))}});
    text.write(std::move(reliefs));
    text.counter("ballast_port_flips_total",
                 "Times that a range of local ports was shifted again, for relief.", ports.flips);
    text.counter("ballast_port_reliefs_withheld_total", "Reliefs that were to begin and did not.",
                 ports.withheld);
    text.counter("ballast_port_passes_hastened_total",
                 "Passes that were due early since many connections were opened.", ports.hastened);
    text.counter("ballast_port_passes_total", "Passes that counted local ports.", ports.passes);
    text.counter("ballast_port_pass_failures_total", "Passes that could not be done.",
                 ports.failures);
    text.gauge("ballast_port_pass_cpu_seconds", "CPU time of the last one.",
               seconds(ports.last_cpu));
    text.counter("ballast_port_chains_torn_total",
                 "Chains of sockets that changed while they were read.", ports.torn);
    text.gauge("ballast_ports_left_out", "Connections that the last pass had no row for.",
               static_cast<double>(ports.left_out + ports.full));
}

void write_listeners(Text& text, const ListenersStatus& listeners) {
    MetricFamily states =
        family("ballast_listeners", "Listening sockets by state.", MetricType::Gauge);
    for (std::size_t i = 0; i < kListenerStates; ++i)
        add(states, static_cast<double>(listeners.states.at(i)),
            {{"state", std::string(kListenerStateNames.at(i))}});
    text.write(std::move(states));
    text.counter("ballast_listener_overflows_total",
                 "SYNs and handshakes dropped while the accept queue was full.",
                 listeners.overflows);
    text.counter("ballast_listener_closed_waiting_total",
                 "Connections that waited at a listener when it was closed.",
                 listeners.closed_waiting);
    text.counter("ballast_listener_passes_total", "Passes that read listeners.", listeners.passes);
    text.counter("ballast_listener_passes_failed_total", "Of these, those that could not be done.",
                 listeners.failures);
    text.gauge("ballast_listener_pass_cpu_seconds", "CPU time of the last pass over listeners.",
               seconds(listeners.last_cpu));
}

void write_shed(Text& text, const ShedTable& shed) {
    MetricFamily syns =
        family("ballast_listener_syns_total",
               "SYNs to guarded listeners, by what the rule says of them.", MetricType::Counter);
    MetricFamily withheld =
        family("ballast_listener_syns_withheld_total",
               "Of those to be shed, passed since nothing enforces.", MetricType::Counter);
    for (const auto& row : shed.rows) {
        const auto count = [&](const char* verdict, std::uint64_t value) {
            add(syns, static_cast<double>(value), {{"rule", row.rule.name}, {"verdict", verdict}});
        };
        count("admitted", row.counts.admitted);
        count("spared", row.counts.spared);
        count("undecided", row.counts.undecided);
        for (std::size_t i = 0; i < kShedReasonNames.size(); ++i)
            count(kShedReasonNames.at(i).data(), row.counts.shed.at(i));
        add(withheld, static_cast<double>(row.counts.withheld), {{"rule", row.rule.name}});
    }
    text.write(std::move(syns));
    text.write(std::move(withheld));
    MetricFamily devices =
        family("ballast_listener_device_attached",
               "Whether SYNs that come in by the device are looked at.", MetricType::Gauge);
    for (const auto& device : shed.devices)
        add(devices, device.is_attached ? 1.0 : 0.0, {{"device", device.name}});
    text.write(std::move(devices));
}

void write_sweep(Text& text, const SweepStatus& sweep) {
    text.counter("ballast_sweeps_total", "Sweeps over all TCP sockets.", sweep.sweeps);
    text.counter("ballast_sweep_failures_total", "Sweeps that could not be done or finished.",
                 sweep.failures);
    text.gauge("ballast_sweep_cpu_seconds", "CPU time of the last sweep.", seconds(sweep.last_cpu));
    text.gauge("ballast_sweep_interval_seconds", "Time between sweeps now.",
               seconds(sweep.interval));
    text.gauge("ballast_sockets", "TCP sockets the last sweep saw, TIME_WAIT apart.",
               static_cast<double>(sweep.sockets));
    text.gauge("ballast_time_wait_sockets", "Sockets in TIME_WAIT the last sweep saw.",
               static_cast<double>(sweep.time_wait));
    text.gauge("ballast_network_namespaces", "Network namespaces the last sweep visited.",
               static_cast<double>(sweep.namespaces));
    text.gauge("ballast_network_namespaces_missed",
               "Network namespaces the last sweep could not visit.",
               static_cast<double>(sweep.namespaces_missed));
    text.gauge(
        "ballast_sweep_held_seconds",
        "How long a sweep, or a look at a flow, has waited for a socket's lock; 0: none does.",
        std::chrono::duration<double>(sweep.held).count());
    text.gauge("ballast_drift", "Sum of absolute drifts the last sweep found; 0 is right.",
               static_cast<double>(sweep.drift));
    text.counter("ballast_repairs_total", "Reservations corrected.", sweep.repairs);
}

template <typename Row, typename Value>
void write_rows(Text& text, MetricFamily rows, const std::vector<Row>& destinations, Value value) {
    for (const Row& row : destinations)
        add(rows, static_cast<double>(value(row)),
            {{"service", row.service}, {"destination", row.endpoint.text()}});
    text.write(std::move(rows));
}

void write_limits(Text& text, const std::vector<DestinationRow>& destinations) {
    MetricFamily limits =
        family("ballast_destination_max_connections",
               "Its limit; destinations that are only counted have none.", MetricType::Gauge);
    for (const DestinationRow& row : destinations)
        if (row.max_connections)
            add(limits, *row.max_connections,
                {{"service", row.service}, {"destination", row.endpoint.text()}});
    text.write(std::move(limits));
}

void write_destinations(Text& text, const std::vector<DestinationRow>& rows) {
    const auto gauge = [](const char* name, const char* help) {
        return family(name, help, MetricType::Gauge);
    };
    const auto counter = [](const char* name, const char* help) {
        return family(name, help, MetricType::Counter);
    };
    write_limits(text, rows);
    write_rows(text, gauge("ballast_destination_in_use", "Reservations held."), rows,
               [](const DestinationRow& row) { return row.in_use; });
    write_rows(text, gauge("ballast_destination_drift", "Reservations less sockets; 0 is right."),
               rows, [](const DestinationRow& row) { return row.drift; });
    write_rows(text, counter("ballast_destination_admitted_total", "Connects admitted."), rows,
               [](const DestinationRow& row) { return row.admitted; });
    write_rows(text, counter("ballast_destination_refused_total", "Connects refused."), rows,
               [](const DestinationRow& row) { return row.refused; });
    write_rows(text,
               counter("ballast_destination_over_limit_total", "Connects admitted over the limit."),
               rows, [](const DestinationRow& row) { return row.over_limit; });
    write_rows(text, counter("ballast_destination_adopted_total", "Older sockets counted."), rows,
               [](const DestinationRow& row) { return row.adopted; });
}

void write_states(Text& text, const std::vector<BreakerRow>& rows) {
    const BreakerCounts counts = count_breakers(rows);
    MetricFamily states =
        family("ballast_breakers",
               "Breakers that have seen a failure or are forced, by state; what is forced over it "
               "is not in it.",
               MetricType::Gauge);
    for (std::size_t i = 0; i < kBreakerStates; ++i)
        add(states, static_cast<double>(counts.states.at(i)),
            {{"state", std::string(kBreakerStateNames.at(i))}});
    text.write(std::move(states));
    MetricFamily forced =
        family("ballast_breakers_forced", "Breakers that a person or the governor holds.",
               MetricType::Gauge);
    add(forced, static_cast<double>(counts.forced_open), {{"to", "open"}});
    add(forced, static_cast<double>(counts.forced_closed), {{"to", "closed"}});
    text.write(std::move(forced));
}

void write_breakers(Text& text, const std::vector<BreakerRow>& rows) {
    write_rows(
        text,
        family("ballast_breaker_opened_total", "Times the breaker opened.", MetricType::Counter),
        rows, [](const BreakerRow& row) { return row.opened; });
    write_rows(text,
               family("ballast_breaker_refused_total", "Connects the breaker refused.",
                      MetricType::Counter),
               rows, [](const BreakerRow& row) { return row.refused; });
}

bool goes_before(const DestinationRow& a, const DestinationRow& b) {
    return std::tie(b.in_use, a.endpoint, a.service) < std::tie(a.in_use, b.endpoint, b.service);
}

bool goes_before(const BreakerRow& a, const BreakerRow& b) {
    return std::tie(b.refused, b.opened, a.endpoint, a.service) <
           std::tie(a.refused, a.opened, b.endpoint, b.service);
}

/// Keeps the rows that get series, in a stable order; returns how many were dropped.
template <typename Row>
double keep_first(std::vector<Row>& rows) {
    const std::size_t keep = std::min(rows.size(), kMaxMetricDestinations);
    std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(keep), rows.end(),
                      [](const Row& a, const Row& b) { return goes_before(a, b); });
    const std::size_t left_out = rows.size() - keep;
    rows.resize(keep);
    return static_cast<double>(left_out);
}

} // namespace

std::string metrics_text(const DaemonStatus& status, std::vector<DestinationRow> destinations,
                         std::vector<BreakerRow> breakers) {
    Text text;
    write_daemon(text, status);
    write_capacity(text, status);
    write_counters(text, status);
    write_half_open(text, status.half_open);
    write_keepalive(text, status.keepalive);
    write_findings(text, status.findings);
    write_ports(text, status.ports);
    write_listeners(text, status.listeners);
    write_shed(text, status.shed);
    write_sweep(text, status.sweep);
    text.gauge("ballast_destinations_left_out",
               "Destinations without series of their own: there are too many.",
               keep_first(destinations));
    write_destinations(text, destinations);
    write_states(text, breakers);
    text.gauge("ballast_breakers_left_out",
               "Breakers without series of their own: there are too many.", keep_first(breakers));
    write_breakers(text, breakers);
    return text.take();
}

} // namespace ballast::api

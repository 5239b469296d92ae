// SPDX-License-Identifier: Apache-2.0
// The API's read operations on the daemon.
#include "daemon/app/daemon.h"

#include <tuple>

#include <unistd.h>

#include "daemon/app/start_up.h"
#include "daemon/app/version.h"

namespace ballast::app {

DaemonStatus Daemon::status() {
    const auto in_force = in_force_.now();
    DaemonStatus status;
    status.version = version();
    status.abi_version = kernel::Programs::abi_version;
    status.kernel = kernel_release();
    status.cgroup = programs_.cgroup().path;
    status.bpffs = options_.bpffs_dir;
    status.started = started_;
    status.pid = static_cast<std::uint32_t>(::getpid());
    status.armed = in_force->is_armed();
    status.adopted_pins = programs_.adopted();
    status.limit_mode = in_force->policy().limit_mode;
    status.governor_dry_run = breakers_->is_dry_run();
    status.policy_file = policy_->file();
    status.policy_loaded = policy_->loaded();
    status.policy_generation = in_force->generation();
    status.policy_error = policy_->error();
    status.services = static_cast<std::uint32_t>(in_force->policy().services.size());
    status.destinations = recycler_.used();
    status.destinations_max = kernel::DestinationTable::most;
    status.reservations = destinations_.reservations();
    status.reservations_max = kernel::Reservations::most;
    status.hooks_lost = hooks_.lost();
    status.hooks_reattached = hooks_.reattached();
    status.counters = datapath_.counters();
    status.keepalive = observer_->latest()->keepalive;
    status.half_open = observer_->half_open();
    status.findings = findings_.status();
    status.sweep = observer_->status();
    return status;
}

DestinationRow Daemon::row_of(const Destination& destination) {
    const auto in_force = in_force_.now();
    DestinationRow row;
    row.endpoint = destination.endpoint;
    row.service = policy_map_.service_name(destination.service);
    row.in_use = destination.in_use;
    row.admitted = destination.admitted;
    row.adopted = destination.adopted;
    row.refused = total(destination.refused);
    row.over_limit = total(destination.over_limit);
    row.mode = Mode::off;
    if (const Service* service = in_force->service(destination.service)) {
        row.mode = in_force->mode(GuardKind::limit, service);
        row.max_connections = service->max_connections;
    }
    const auto latest = observer_->latest();
    const auto drift = latest->drift.find(destination.index);
    row.drift = drift == latest->drift.end() ? 0 : drift->second;
    if (const auto known = observer_->path_at(destination.endpoint, destination.service))
        std::tie(row.survived, row.died, row.learned_in) =
            std::tie(known->survived, known->died, known->learned_in);
    return row;
}

std::vector<DestinationRow> Daemon::destinations() {
    std::vector<DestinationRow> rows;
    for (const auto& destination : destinations_.all())
        rows.push_back(row_of(destination));
    return rows;
}

std::vector<PeerRow> Daemon::peers() {
    return observer_->latest()->peers;
}

FlowTable Daemon::flows() {
    const auto met = observer_->latest()->flows;
    FlowTable table;
    trim_soon_ = true; // the rows are many and short-lived
    for (const auto& flow : met->rows)
        table.rows.push_back(ballast::row_of(flow, policy_map_.service_name(flow.service)));
    if (met->taken)
        table.age = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - *met->taken);
    table.left_out = met->left_out;
    return table;
}

std::vector<Service> Daemon::services() {
    return in_force_.now()->policy().services;
}
std::vector<Override> Daemon::overrides() {
    return policy_->overrides();
}

std::vector<BreakerRow> Daemon::breakers() {
    return breakers_->rows();
}

FindingPage Daemon::findings_of(const FindingQuery& query) {
    return findings_.page(query);
}

Explanation Daemon::explain(const Endpoint& endpoint,
                            const std::optional<std::string>& cgroup_path) {
    return ballast::explain(in_force_.now()->policy(), endpoint, cgroup_path);
}

} // namespace ballast::app

// SPDX-License-Identifier: Apache-2.0
// What the API reads of the daemon.
#include "daemon/app/daemon.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <tuple>

#include <unistd.h>

#include "bpf/abi.h"
#include "daemon/app/start_up.h"
#include "daemon/app/status_parts.h"
#include "daemon/app/version.h"
#include "daemon/kernel/flows.h"

namespace ballast::app {

namespace {

std::uint64_t sum_of(std::span<const __u64> counters) {
    return std::accumulate(counters.begin(), counters.end(), std::uint64_t{0});
}

} // namespace

std::uint32_t Daemon::used() const {
    return std::min<std::uint32_t>(maps_.control->next_destination, BALLAST_MAX_DESTINATIONS);
}

DaemonStatus Daemon::status() {
    const auto in_force = in_force_.now();
    DaemonStatus status;
    status.version = version();
    status.abi_version = BALLAST_ABI_VERSION;
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
    status.destinations_max = BALLAST_MAX_DESTINATIONS;
    for (std::uint32_t index = 0; index < used(); ++index)
        status.reservations += maps_.destinations[index].in_use & ~BALLAST_RETIRED;
    status.reservations_max = BALLAST_MAX_RESERVATIONS;
    status.hooks_lost = hooks_.lost();
    status.hooks_reattached = hooks_.reattached();
    const ballast_counters& counters = maps_.counters[0];
    status.fail_open = fail_open_of(counters);
    status.breaker_losses = breaker_losses_of(counters);
    status.keepalive = keepalive_of(counters, sweeps_->keepalive());
    status.half_open = flows_->status();
    status.findings = findings_.status();
    status.sweep = sweeps_->status();
    return status;
}

DestinationRow Daemon::row_of(std::uint32_t index) {
    const ballast_destination& destination = maps_.destinations[index];
    DestinationRow row;
    std::ranges::copy(destination.address, row.endpoint.address.bytes.begin());
    row.endpoint.port = destination.port;
    row.service = policy_map_.service_name(destination.service);
    row.in_use = destination.in_use & ~BALLAST_RETIRED;
    row.admitted = destination.admitted;
    row.adopted = destination.adopted;
    row.refused = sum_of(destination.refused);
    row.over_limit = sum_of(destination.over);
    row.mode = Mode::off;
    if (const ballast_service* limit = policy_map_.limit(destination.service)) {
        row.mode = static_cast<Mode>(limit->mode);
        if (limit->max_connections != BALLAST_UNLIMITED)
            row.max_connections = limit->max_connections;
    }
    row.mode = in_force_.now()->allowed(row.mode);
    const auto drift = sweeps_->drift().find(index);
    row.drift = drift == sweeps_->drift().end() ? 0 : drift->second;
    if (const auto known = paths_->at(row.endpoint, destination.service))
        std::tie(row.survived, row.died, row.learned_in) =
            std::tie(known->survived, known->died, known->learned_in);
    return row;
}

std::vector<DestinationRow> Daemon::destinations() {
    std::vector<DestinationRow> rows;
    for (std::uint32_t index = 0; index < used(); ++index)
        if (maps_.destinations[index].service &&
            !(maps_.destinations[index].in_use & BALLAST_RETIRED))
            rows.push_back(row_of(index));
    return rows;
}

std::vector<PeerRow> Daemon::peers() {
    return sweeps_->peers();
}

FlowTable Daemon::flows() {
    const std::uint32_t hz = kernel::jiffies_per_second();
    const auto& met = sweeps_->flows();
    FlowTable table;
    trim_soon_ = true; // the rows are many and short-lived
    for (const auto& flow : met.rows)
        table.rows.push_back(kernel::to_row(flow, policy_map_.service_name(flow.service), hz));
    if (met.taken)
        table.age = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - *met.taken);
    table.left_out = met.left_out;
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

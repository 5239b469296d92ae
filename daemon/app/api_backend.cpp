// SPDX-License-Identifier: Apache-2.0
// The API's read operations on the daemon.
#include "daemon/app/api_backend.h"

#include <tuple>
#include <utility>

#include <malloc.h>
#include <unistd.h>

#include "daemon/app/start_up.h"
#include "daemon/app/version.h"
#include "daemon/guards/breaker/wiring/breaker_keeper.h"
#include "daemon/guards/keepalive/wiring/path_keeper.h"
#include "daemon/guards/limit/wiring/limit_keeper.h"
#include "daemon/guards/listeners/wiring/listener_keeper.h"
#include "daemon/guards/ports/wiring/port_keeper.h"

namespace ballast::app {

DaemonStatus ApiBackend::status() {
    const auto policy = in_force();
    auto& keeper = parts_.policy.keeper();
    auto& programs = parts_.instance.programs();
    DaemonStatus status;
    status.version = version();
    status.abi_version = kernel::Programs::abi_version;
    status.kernel = kernel_release();
    status.cgroup = programs.cgroup().path;
    status.bpffs = bpffs_dir_;
    status.started = started_;
    status.pid = static_cast<std::uint32_t>(::getpid());
    status.armed = policy->is_armed();
    status.adopted_pins = programs.adopted();
    status.limit_mode = policy->policy().mode(GuardKind::limit);
    status.policy_file = keeper.file();
    status.policy_loaded = keeper.loaded();
    status.policy_generation = policy->generation();
    status.policy_error = keeper.error();
    status.services = static_cast<std::uint32_t>(policy->policy().services.size());
    status.destinations = parts_.instance.destinations_used();
    status.destinations_max = kernel::DestinationTable::most;
    status.reservations = parts_.instance.destinations().reservations();
    status.reservations_max = kernel::Reservations::most;
    status.hooks_lost = parts_.hooks.lost();
    status.hooks_reattached = parts_.hooks.reattached();
    status.recursion_misses = programs.recursion_misses();
    status.counters = parts_.instance.datapath().counters();
    status.findings = parts_.findings.status();
    status.sweep = parts_.observer.status();
    parts_.guards.report(status);
    return status;
}

DestinationRow ApiBackend::row_of(const Destination& destination) const {
    DestinationRow row = guards::limit_row(
        destination, parts_.instance.services().service_name(destination.service), *in_force());
    const auto latest = parts_.observer.latest();
    const auto drift = latest->drift.find(destination.index);
    row.drift = drift == latest->drift.end() ? 0 : drift->second;
    const auto& paths = parts_.guards.get<guards::PathKeeper>();
    if (const auto known = paths.at(destination.endpoint, destination.service))
        std::tie(row.survived, row.died, row.learned_in) =
            std::tie(known->survived, known->died, known->learned_in);
    return row;
}

std::vector<DestinationRow> ApiBackend::destinations() {
    std::vector<DestinationRow> rows;
    for (const auto& destination : parts_.instance.destinations().all())
        rows.push_back(row_of(destination));
    return rows;
}

std::vector<PeerRow> ApiBackend::peers() {
    return parts_.observer.latest()->peers;
}

FlowTable ApiBackend::flows() {
    const auto met = parts_.observer.latest()->flows;
    FlowTable table;
    trim_soon_ = true; // the rows are many and short-lived
    for (const auto& flow : met->rows)
        table.rows.push_back(
            ballast::row_of(flow, parts_.instance.services().service_name(flow.service)));
    if (met->taken)
        table.age = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - *met->taken);
    table.left_out = met->left_out;
    return table;
}

void ApiBackend::trim() {
    if (std::exchange(trim_soon_, false))
        ::malloc_trim(0);
}

std::vector<Service> ApiBackend::services() {
    return in_force()->policy().services;
}
std::vector<Override> ApiBackend::overrides() {
    return parts_.policy.keeper().overrides();
}

std::vector<BreakerRow> ApiBackend::breakers() {
    return parts_.guards.get<guards::BreakerKeeper>().rows();
}

PortTable ApiBackend::ports() {
    return parts_.guards.get<guards::PortKeeper>().table();
}

ListenerTable ApiBackend::listeners() {
    return parts_.guards.get<guards::ListenerKeeper>().table();
}

std::optional<ReadyRow> ApiBackend::ready(const Endpoint& endpoint, std::uint32_t netns) {
    return parts_.guards.get<guards::ListenerKeeper>().ready(endpoint, netns);
}

FindingPage ApiBackend::findings_of(const FindingQuery& query) {
    return parts_.findings.page(query);
}

Explanation ApiBackend::explain(const Endpoint& endpoint,
                                const std::optional<std::string>& cgroup_path) {
    return ballast::explain(in_force()->policy(), endpoint, cgroup_path);
}

} // namespace ballast::app

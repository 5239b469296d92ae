// SPDX-License-Identifier: Apache-2.0
// The API server's interface to the daemon. The application implements it; tests give it fixed
// data. Every call comes from the event loop's own thread, one at a time, and must not block for
// long: nothing else of the daemon runs meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/model/breaker_order.h"
#include "daemon/model/explain.h"
#include "daemon/model/finding_query.h"
#include "daemon/model/override.h"
#include "daemon/model/path_report.h"
#include "daemon/model/policy.h"
#include "daemon/model/snapshot.h"
#include "daemon/util/error.h"

namespace ballast::api {

class Backend {
public:
    Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;
    Backend(Backend&&) = delete;
    Backend& operator=(Backend&&) = delete;
    virtual ~Backend() = default;

    virtual DaemonStatus status() = 0;

    /// Governed destinations as the maps hold them now, in any order.
    virtual std::vector<DestinationRow> destinations() = 0;

    /// Remote endpoints of outbound connections as the last sweep saw them, in any order.
    virtual std::vector<PeerRow> peers() = 0;

    /// TCP sockets as the last sweep met them, in any order.
    virtual FlowTable flows() = 0;

    /// Requests a sweep as soon as possible, with all that follows from it; the sweep's number.
    virtual std::uint64_t ask_for_sweep(SweepExtent extent) = 0;

    /// The number of the sweep that counts what the last change of policy left to be counted; 0:
    /// nothing.
    virtual std::uint64_t count_to_await() = 0;

    /// Whether that sweep, or a later one, has counted the sockets that processes have open, or
    /// cannot now.
    virtual bool is_counted(std::uint64_t number) = 0;

    /// How the sweep of that number or a later one ended: it fails when no namespace could be
    /// swept. Nothing: it has not ended.
    virtual std::optional<Result<void>> sweep_outcome(std::uint64_t number) = 0;

    /// The policy in force, overrides applied, in the order it is matched and shown.
    virtual std::vector<Service> services() = 0;

    /// The overrides that are stored, whether or not they match anything now.
    virtual std::vector<Override> overrides() = 0;

    /// Stores the override and puts it in force; replaces an earlier one of the same target.
    /// On failure nothing has changed.
    virtual Result<void> put_override(Override wanted) = 0;

    /// Forgets the override of `target` and puts the file's policy back in force for it.
    /// False: there was none.
    virtual Result<bool> remove_override(const std::string& target) = 0;

    /// Destinations that have a breaker which has seen a failure or is forced, in any order.
    virtual std::vector<BreakerRow> breakers() = 0;

    /// Tuples with their local ports, worst first.
    virtual PortTable ports() = 0;
    /// Listening sockets, worst first.
    virtual ListenerTable listeners() = 0;
    /// Of the sockets that take connections to the endpoint; `netns`: an inode number, 0: any.
    /// None: nobody listens.
    virtual std::optional<ReadyRow> ready(const Endpoint& endpoint, std::uint32_t netns) = 0;

    /// Forces the breakers of a destination, or takes that back. Fails when no policy governs it.
    virtual Result<void> force_breaker(const BreakerOrder& order) = 0;

    /// Adds a measurement to the known times of a path; the result.
    virtual PathReport learn_path(const PathReport& report) = 0;

    /// The guards' findings, from memory and the history.
    virtual FindingPage findings_of(const FindingQuery& query) = 0;

    /// Which targets of the policy in force cover `endpoint`, in matching order.
    /// `cgroup_path`: below the root of the hierarchy, "/system.slice/a.service"; none: anybody.
    virtual Explanation explain(const Endpoint& endpoint,
                                const std::optional<std::string>& cgroup_path) = 0;

    /// Reads the policy file again. On failure the running policy stays in force.
    virtual Result<void> reload() = 0;

    /// Asks the daemon to exit soon; pins stay. Called once the reply to the asker has been sent,
    /// from within the server, which must outlive the call.
    virtual void stop() = 0;
};

} // namespace ballast::api

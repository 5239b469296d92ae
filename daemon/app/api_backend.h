// SPDX-License-Identifier: Apache-2.0
// What the API asks of the daemon, answered from its parts.
#pragma once

#include <string>

#include "daemon/api/backend.h"
#include "daemon/app/hook_keeper.h"
#include "daemon/findings/findings.h"
#include "daemon/guards/guards.h"
#include "daemon/kernel/instance.h"
#include "daemon/observe/observer.h"
#include "daemon/policy/policy_control.h"

namespace ballast::app {

class ApiBackend final : public api::Backend {
public:
    /// All of it must outlive the backend.
    struct Parts {
        EventLoop& loop; ///< stop() ends it
        kernel::Instance& instance;
        HookKeeper& hooks;
        policy::PolicyControl& policy;
        guards::Guards& guards;
        observe::Observer& observer;
        findings::Findings& findings;
    };
    ApiBackend(const Parts& parts, std::string bpffs_dir)
        : parts_(parts), bpffs_dir_(std::move(bpffs_dir)) {}

    /// Every ten seconds or so: returns the memory of a large answer.
    void trim();

    DaemonStatus status() override;
    std::vector<DestinationRow> destinations() override;
    std::vector<PeerRow> peers() override;
    FlowTable flows() override;
    std::uint64_t ask_for_sweep(SweepExtent extent) override {
        return parts_.observer.ask_for_sweep(extent);
    }
    std::uint64_t count_to_await() override { return parts_.observer.count_to_await(); }
    bool is_counted(std::uint64_t number) override {
        return parts_.observer.has_counted(number) || parts_.observer.held_for().count() != 0;
    }
    std::optional<Result<void>> sweep_outcome(std::uint64_t number) override {
        return parts_.observer.sweep_outcome(number);
    }
    std::vector<Service> services() override;
    std::vector<Override> overrides() override;
    Result<void> put_override(Override wanted) override;
    Result<bool> remove_override(const std::string& target) override;
    std::vector<BreakerRow> breakers() override;
    PortTable ports() override;
    ListenerTable listeners() override;
    std::optional<ReadyRow> ready(const Endpoint& endpoint, std::uint32_t netns) override;
    FindingPage findings_of(const FindingQuery& query) override;
    Result<void> force_breaker(const BreakerOrder& order) override;
    PathReport learn_path(const PathReport& report) override;
    Explanation explain(const Endpoint& endpoint,
                        const std::optional<std::string>& cgroup_path) override;
    Result<void> reload() override;
    void stop() override;

private:
    [[nodiscard]] std::shared_ptr<const PolicyInForce> in_force() const {
        return parts_.policy.publisher().now();
    }
    [[nodiscard]] DestinationRow row_of(const Destination& destination) const;

    Parts parts_;
    std::string bpffs_dir_;
    WallTime started_ = std::chrono::system_clock::now();
    bool trim_soon_ = false; ///< an answer was large
};

} // namespace ballast::app

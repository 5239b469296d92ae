// SPDX-License-Identifier: Apache-2.0
// A Backend with the fixed data of a scene. Overrides and orders are kept, the rest is answered and
// forgotten.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/api/backend.h"
#include "tests/api/scenes.h"

namespace ballast::test {

class FakeBackend final : public api::Backend {
public:
    FakeBackend(Scene scene, std::function<void()> on_stop);

    /// status(), overrides(), breakers(), ports(), listeners(), findings_of(), learn_path() and
    /// explain() throw in Scene::broken, as no real one should.
    DaemonStatus status() override;
    std::vector<DestinationRow> destinations() override { return scene_destinations(scene_); }
    std::vector<PeerRow> peers() override { return scene_peers(scene_); }
    FlowTable flows() override;
    std::uint64_t ask_for_sweep(SweepExtent /*extent*/) override { return 1; }
    std::uint64_t count_to_await() override { return 1; }
    bool is_counted(std::uint64_t number) override { return sweep_outcome(number).has_value(); }
    std::optional<Result<void>> sweep_outcome(std::uint64_t number) override;
    std::vector<Service> services() override { return scene_services(scene_); }
    std::vector<Override> overrides() override;
    Result<void> put_override(Override wanted) override;
    Result<bool> remove_override(const std::string& target) override;
    std::vector<BreakerRow> breakers() override;
    PortTable ports() override;
    ListenerTable listeners() override;
    std::optional<ReadyRow> ready(const Endpoint& endpoint, std::uint32_t netns) override;
    Result<void> force_breaker(const BreakerOrder& order) override;
    FindingPage findings_of(const FindingQuery& query) override;
    PathReport learn_path(const PathReport& report) override;
    Explanation explain(const Endpoint& endpoint,
                        const std::optional<std::string>& cgroup_path) override;
    Result<void> reload() override;
    void stop() override { on_stop_(); }

private:
    BreakerRow& breaker_of(const DestinationRow& row);

    Scene scene_;
    std::function<void()> on_stop_;
    std::vector<Override> overrides_;
    std::vector<BreakerRow> breakers_;
    std::uint64_t generation_;
    int asked_for_status_ = 0;
};

} // namespace ballast::test

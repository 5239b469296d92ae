// SPDX-License-Identifier: Apache-2.0
// Since when flows are known, by sweeps. Pure; time is passed in.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace ballast::guards {

class FlowAges {
public:
    using Monotonic = std::chrono::steady_clock::time_point;
    static constexpr std::size_t most_flows = 262'144;
    /// The report of a flow's end may come after a sweep that no longer meets it.
    static constexpr std::chrono::seconds grace{5};

    /// A sweep met the flow; when the first one did, which is `now` for a flow too many.
    Monotonic on_flow(std::uint64_t cookie, Monotonic now) {
        if (flows_.size() >= most_flows && !flows_.contains(cookie))
            return now;
        auto& flow = flows_.try_emplace(cookie, Flow{now, now}).first->second;
        flow.met = now;
        return flow.first;
    }
    [[nodiscard]] bool is_known(std::uint64_t cookie) const { return flows_.contains(cookie); }

    /// Forgets flows last met longer than `grace` before this sweep, which began at `began`.
    void end_sweep(Monotonic began) {
        std::erase_if(flows_, [&](const auto& entry) { return entry.second.met < began - grace; });
    }

private:
    struct Flow {
        Monotonic first;
        Monotonic met;
    };
    std::unordered_map<std::uint64_t, Flow> flows_;
};

} // namespace ballast::guards

// SPDX-License-Identifier: Apache-2.0
// Turns verdicts on flows into findings: thousands at once become one for each peer and kind, with
// their number and the first of them. Pure; time is passed in.
//
// Reasons: half_open_flow, half_open_flow_cleared; half_open_flow_reset for the outcome of one that
// had to wait for its reset. The evidence begins with the kind; `act` says what was done, or `why`
// nothing was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "daemon/model/finding.h"
#include "daemon/model/half_open.h"

namespace ballast::guards {

class HalfOpenDigest {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    /// After a finding, similar verdicts are held this long and become one more.
    static constexpr std::chrono::seconds quiet{1};
    /// Flows that a finding names; the others are counted as coalesced.
    static constexpr std::size_t most_named = 5;
    /// Findings returned per call; the others wait for the next.
    static constexpr std::size_t most_findings = 50;
    /// Peers and kinds at a time; more are only counted as coalesced, and not reported.
    static constexpr std::size_t most_groups = 8192;

    /// is_later: the outcome is reported separately, after the verdict.
    void add(const HalfOpenVerdict& verdict, Mode mode, FlowAct act = FlowAct::none,
             bool is_later = false);

    /// The findings due now. Call it again soon while has_pending().
    std::vector<Finding> take(Monotonic now);
    [[nodiscard]] bool has_pending() const { return pending_ > 0; }

    /// Verdicts that no finding named.
    [[nodiscard]] std::uint64_t coalesced() const { return coalesced_; }

private:
    struct Key {
        HalfOpenKind kind;
        PeerKey peer;
        std::string service;
        FlowAct act;
        bool is_later;
        auto operator<=>(const Key&) const = default; // NOLINT(modernize-use-nullptr)
    };
    struct Group {
        Mode mode = Mode::observe;
        std::uint64_t flows = 0; ///< since the last finding
        std::vector<HalfOpenVerdict> named;
        std::optional<Monotonic> told;
    };

    static Finding finding_of(const Key& key, const Group& group);

    std::map<Key, Group> groups_;
    std::uint64_t pending_ = 0; ///< verdicts
    std::uint64_t coalesced_ = 0;
};

} // namespace ballast::guards

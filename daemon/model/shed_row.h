// SPDX-License-Identifier: Apache-2.0
// What was done with SYNs to guarded listeners.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/model/listener_rule.h"

namespace ballast {

/// Why SYNs are shed. In the order of `enum ballast_shed_verdict`.
enum class ShedReason : std::uint8_t { age, depth, share, rate };
inline constexpr std::array<std::string_view, 4> kShedReasonNames{"age", "depth", "share", "rate"};

/// Of one rule.
struct ShedCounts {
    std::uint64_t admitted = 0;
    std::uint64_t spared = 0; ///< admitted since `spare` has its source
    std::array<std::uint64_t, kShedReasonNames.size()> shed{};
    std::uint64_t undecided = 0; ///< passed: its socket is in TIME_WAIT, or it is only forwarded
    std::uint64_t withheld = 0;  ///< of those shed, passed: nothing enforces
    std::uint64_t guessed = 0; ///< judged by the least full of a group that a program chooses from
    std::uint64_t unanswered = 0; ///< of those shed, dropped since no RST could be made

    [[nodiscard]] std::uint64_t all_shed() const { return shed[0] + shed[1] + shed[2] + shed[3]; }
    bool operator==(const ShedCounts&) const = default;
};

/// A rule and what was done by it.
struct ShedRow {
    ListenerRule rule;
    Mode mode = Mode::observe; ///< in force: of the rule, or less
    ShedCounts counts;

    bool operator==(const ShedRow&) const = default;
};

/// A device whose SYNs are looked at.
struct ShedDevice {
    std::string name;
    std::string kind; ///< how the program is attached: "tcx", "clsact"
    bool is_attached = true;
    std::string error = {};         ///< why it is not; empty: it is
    std::vector<std::string> chain; ///< what a packet comes to there, in order

    bool operator==(const ShedDevice&) const = default;
};

struct ShedTable {
    std::vector<ShedRow> rows;
    std::vector<ShedDevice> devices;
    std::uint64_t undecided = 0; ///< SYNs passed: fragments, IPv6 extension headers
    std::uint64_t reattached = 0;
    std::string lacking; ///< why nothing is shed; empty: it is, or nothing is asked for

    bool operator==(const ShedTable&) const = default;
};

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
// What people and programs are told of a tuple's local ports.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/model/port_rule.h"
#include "daemon/model/ports.h"

namespace ballast {

/// Better to worse.
enum class PortState : std::uint8_t {
    ok,
    poisoned,  ///< a tenth of the range is of no use to connect(): somebody bound those ports
    filling,   ///< the knee or the wall is foretold
    knee,      ///< connect() is slow: it searches the ports of one parity in vain first
    exhausted, ///< connect() fails with EADDRNOTAVAIL
};
inline constexpr std::size_t kPortStates = 5;
inline constexpr std::array<std::string_view, kPortStates> kPortStateNames{
    "ok", "poisoned", "filling", "knee", "exhausted"};

constexpr std::string_view name_of(PortState state) {
    return kPortStateNames.at(static_cast<std::size_t>(state));
}
constexpr std::optional<PortState> port_state_named(std::string_view name) {
    for (std::size_t i = 0; i < kPortStates; ++i)
        if (kPortStateNames.at(i) == name)
            return static_cast<PortState>(i);
    return std::nullopt;
}

/// How far a forecast can be relied on.
enum class Confidence : std::uint8_t { low, medium, high };
inline constexpr std::array<std::string_view, 3> kConfidenceNames{"low", "medium", "high"};

constexpr std::string_view name_of(Confidence confidence) {
    return kConfidenceNames.at(static_cast<std::size_t>(confidence));
}

struct PortRow {
    TupleKey key;
    PortState state = PortState::ok;
    std::uint32_t used = 0;     ///< ports
    std::uint32_t capacity = 0; ///< ports that connect() can choose from, the used ones too
    std::uint32_t time_wait = 0;
    std::uint32_t reusable = 0;  ///< of TIME_WAIT, with timestamps
    std::uint32_t fin_wait2 = 0; ///< without an owner
    std::uint32_t connecting = 0;
    std::uint32_t established = 0;
    std::uint32_t close_wait = 0;
    std::uint32_t closing = 0;
    std::uint32_t self_connected = 0; ///< sockets whose peer is the socket itself
    std::uint32_t poisoned = 0;       ///< ports of the namespace's range
    std::uint32_t reserved = 0;
    std::uint32_t opens_per_s = 0;
    std::optional<std::chrono::milliseconds> to_knee; ///< 0: reached; none: not foretold
    std::optional<std::chrono::milliseconds> to_wall;
    Confidence confidence = Confidence::low;
    std::optional<std::chrono::milliseconds> next_end; ///< of a TIME_WAIT
    std::uint64_t consumer = 0; ///< cgroup that has most of its sockets proper; 0: none has
    std::string consumer_path = {};
    std::uint16_t low = 0; ///< ip_local_port_range
    std::uint16_t high = 0;

    bool operator==(const PortRow&) const = default;
};

/// A relief that is in force: in a network namespace, or for one tuple in it.
struct ReliefRow {
    std::uint32_t netns = 0; ///< inode number
    Relief relief = Relief::flip;
    Address source = {};              ///< of the tuple
    std::optional<Endpoint> remote;   ///< none: it is for the whole namespace
    std::chrono::milliseconds age{0}; ///< since it began
    /// Times that it was of use: `flip` shifted the range again, a port of the own range or a
    /// source address was given, a connect() was refused without a search.
    std::uint64_t uses = 0;
    std::uint64_t missed = 0; ///< connects that it had nothing for

    bool operator==(const ReliefRow&) const = default;
};

/// By the last pass.
struct PortTable {
    std::vector<PortRow> rows;                    ///< worst first
    std::optional<std::chrono::milliseconds> age; ///< none: there was no pass yet
    std::vector<ReliefRow> reliefs = {};          ///< in force now
};

/// What the counting of ports costs and covers.
struct PortsStatus {
    std::uint64_t passes = 0;
    std::uint64_t failures = 0; ///< passes that could not be done
    std::string lacking;        ///< why ports are not counted; empty: they are
    std::chrono::nanoseconds last_cpu{0};
    std::uint64_t hastened = 0; ///< passes that many connects made due early
    std::uint64_t sockets = 0;  ///< by the last pass
    std::uint64_t time_wait =
        0;                    ///< of these, mini-sockets, those without an owner in FIN_WAIT2 too
    std::uint64_t spaces = 0; ///< network namespaces with any
    std::uint64_t tuples = 0;
    std::uint32_t least = 1;    ///< tuples with fewer sockets are left out
    std::uint64_t left_out = 0; ///< sockets of these
    std::uint64_t torn = 0;     ///< chains that changed while they were read, in all passes
    std::uint64_t unreadable = 0;
    std::uint64_t full = 0; ///< sockets and ports that found no room in the last pass
    std::array<std::uint64_t, kPortStates> states{}; ///< tuples by state
    std::array<std::uint64_t, kReliefs> in_force{};  ///< namespaces with that relief
    std::uint64_t flips = 0;    ///< times that a range was shifted again while `flip` was in force
    std::uint64_t withheld = 0; ///< reliefs that were to begin and did not

    bool operator==(const PortsStatus&) const = default;
};

} // namespace ballast

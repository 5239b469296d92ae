// SPDX-License-Identifier: Apache-2.0
// Listening sockets: what a pass over the kernel's table of them read, and what people and programs
// learn of each.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/util/address.h"

namespace ballast {

/// One listening socket, at one moment.
struct ListenerCount {
    std::uint64_t socket = 0; ///< the kernel's own address of it, which another may have later
    std::uint32_t netns = 0;  ///< inode number
    Endpoint local;
    bool is_dual = false;        ///< an IPv6 wildcard that takes IPv4 too
    std::uint32_t inode = 0;     ///< number of the socket's own; 0: nobody has it open
    std::uint32_t depth = 0;     ///< connections that wait for accept()
    std::uint32_t limit = 0;     ///< as listen() set it; the kernel lets one more wait
    std::uint32_t requests = 0;  ///< handshakes under way: the SYN queue
    std::uint32_t drops = 0;     ///< SYNs and handshakes dropped since listen(); wraps
    std::uint32_t somaxconn = 0; ///< of the namespace, now
    std::uint64_t group = 0;     ///< of SO_REUSEPORT; 0: none
    std::uint32_t group_size = 0;
    std::uint64_t head = 0;                           ///< first that waits; 0: none does
    std::optional<std::chrono::microseconds> head_at; ///< monotonic: when its handshake was over
    std::uint64_t consumer = 0;                       ///< cgroup of the program

    bool operator==(const ListenerCount&) const = default;
};

/// One pass.
struct ListenCount {
    std::uint32_t pass = 0;
    std::chrono::steady_clock::time_point began;
    std::vector<ListenerCount> listeners;
    std::uint64_t torn = 0;       ///< chains that changed while they were read: some may be missing
    std::uint64_t unreadable = 0; ///< places in memory that could not be read
    std::uint64_t full = 0;       ///< listeners that found no room
    std::chrono::nanoseconds cpu{0};

    /// Whether what is not there is gone.
    [[nodiscard]] bool is_whole() const { return torn == 0 && unreadable == 0 && full == 0; }
};

/// Better to worse.
enum class ListenerState : std::uint8_t {
    ok,
    burst,     ///< most of its accept queue was in use within the last minute
    flood,     ///< its SYN queue is full: a flood of SYNs, or peers that do not answer
    overflow,  ///< its accept queue is, or was within the last minute, full: SYNs are dropped
    one_stuck, ///< nobody takes its connections, while others of its SO_REUSEPORT group do theirs
    not_accepting, ///< connections wait, and nobody takes the first of them
};
inline constexpr std::size_t kListenerStates = 6;
inline constexpr std::array<std::string_view, kListenerStates> kListenerStateNames{
    "ok", "burst", "flood", "overflow", "one_stuck", "not_accepting"};

constexpr std::string_view name_of(ListenerState state) {
    return kListenerStateNames.at(static_cast<std::size_t>(state));
}
constexpr std::optional<ListenerState> listener_state_named(std::string_view name) {
    for (std::size_t i = 0; i < kListenerStates; ++i)
        if (kListenerStateNames.at(i) == name)
            return static_cast<ListenerState>(i);
    return std::nullopt;
}

struct ListenerRow {
    std::uint32_t netns = 0; ///< inode number
    Endpoint local;
    bool is_dual = false;
    std::uint32_t inode = 0; ///< of the socket
    ListenerState state = ListenerState::ok;
    std::uint32_t depth = 0;
    std::uint32_t limit = 0;
    std::uint32_t high_water = 0; ///< of depth, of all passes
    std::uint32_t requests = 0;
    std::optional<std::chrono::milliseconds>
        oldest; ///< that waits; none: nobody does, or not known
    std::optional<std::chrono::milliseconds> stalled; ///< nobody took the first for at least that
    std::uint64_t overflows = 0; ///< drops while the accept queue was full, since it is watched
    std::uint64_t drops = 0;     ///< all others since
    std::uint32_t somaxconn = 0;
    std::uint32_t group_size = 0; ///< of SO_REUSEPORT
    std::uint64_t consumer = 0;   ///< cgroup of the program
    std::string consumer_path = {};

    /// Whether its limit is the namespace's: the program may have asked listen() for more.
    [[nodiscard]] bool is_clipped() const { return limit != 0 && limit == somaxconn; }
    bool operator==(const ListenerRow&) const = default;
};

/// How much of its share a load balancer should give it.
struct ReadyRow {
    Endpoint endpoint;
    bool is_ready = true;        ///< with hysteresis
    std::uint32_t percent = 100; ///< 0: nobody accepts
    std::string why = {};        ///< it is less than 100

    bool operator==(const ReadyRow&) const = default;
};

/// By the last pass.
struct ListenerTable {
    std::vector<ListenerRow> rows;                ///< worst first
    std::optional<std::chrono::milliseconds> age; ///< none: there was no pass yet
};

/// What the watching of listeners costs and covers.
struct ListenersStatus {
    std::uint64_t passes = 0;
    std::uint64_t failures = 0; ///< passes that could not be done
    std::string lacking;        ///< why listeners are not watched; empty: they are
    std::chrono::nanoseconds last_cpu{0};
    std::uint64_t listeners = 0; ///< by the last pass
    std::uint64_t torn = 0;      ///< chains that changed while they were read, in all passes
    std::uint64_t full = 0;      ///< listeners that found no room in the last pass
    std::array<std::uint64_t, kListenerStates> states{}; ///< listeners by state
    std::uint64_t overflows = 0;                         ///< of all listeners, since start
    std::uint64_t closed_waiting =
        0; ///< connections that waited at listeners when those were closed

    bool operator==(const ListenersStatus&) const = default;
};

} // namespace ballast

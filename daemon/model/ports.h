// SPDX-License-Identifier: Apache-2.0
// Local ports in use, as counted by one pass over the kernel's tables. connect() needs one for each
// connection of the same tuple: network namespace, source address and destination. All counts of
// ports are by parity, since connect() tries those of the first port's parity first
// (net/ipv4/inet_hashtables.c, __inet_hash_connect()).
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/util/address.h"

namespace ballast {

struct PortsByParity {
    std::uint32_t even = 0;
    std::uint32_t odd = 0;

    [[nodiscard]] std::uint32_t all() const { return even + odd; }
    bool operator==(const PortsByParity&) const = default;
};

/// Ports that connect() chooses from in one network namespace.
struct PortSpace {
    std::uint32_t netns = 0; ///< inode number
    std::uint16_t low = 0;   ///< of ip_local_port_range
    std::uint16_t high = 0;  ///< the last port that connect() tries
    PortsByParity reserved;  ///< ports of the range in ip_local_reserved_ports
    PortsByParity poisoned;  ///< not reserved, but bound by somebody, so that connect() skips them
    std::uint32_t sockets = 0; ///< connections in any state, TIME_WAIT too
    std::uint32_t minis = 0;   ///< of these, TIME_WAIT and what close() left in FIN_WAIT2
    std::uint32_t outside = 0; ///< of these, those whose port is not in the range

    std::uint16_t bound_below = 0; ///< last port below the range that somebody bound; 0: none
    std::uint16_t bound_above = 0; ///< first one above it; 0: none

    std::uint32_t most_minis = 0; ///< net.ipv4.tcp_max_tw_buckets; 0: not known

    std::uint32_t bound = 0; ///< connections from ports of the range that their programs had bound
    std::uint64_t binder =
        0; ///< cgroup of more than half of these, if any has so many; 0: nobody's

    /// What a tuple without connections can have.
    [[nodiscard]] PortsByParity capacity() const;
    bool operator==(const PortSpace&) const = default;
};

struct TupleKey {
    std::uint32_t netns = 0; ///< inode number
    Address source;
    Endpoint remote;

    auto operator<=>(const TupleKey&) const = default; // NOLINT(modernize-use-nullptr)
};

/// The sockets of a tuple whose local port is in the range. A mini-socket is what close() leaves of
/// one: it has no owner, but its port.
struct TupleCount {
    /// Mini-sockets by when they end: within the first `ends_step`, the next ... later than all.
    static constexpr std::size_t ends_steps = 9;
    static constexpr std::chrono::seconds ends_step{8};

    TupleKey key;
    PortsByParity used;         ///< ports that are missing from the space's capacity
    std::uint32_t unchosen = 0; ///< sockets on reserved or poisoned ports, which miss from nothing
    std::uint32_t connecting = 0;
    std::uint32_t established = 0;
    std::uint32_t close_wait = 0;
    std::uint32_t closing = 0;        ///< FIN_WAIT1 .. LAST_ACK, mini-sockets apart
    std::uint32_t time_wait = 0;      ///< mini-sockets
    std::uint32_t reusable = 0;       ///< of these, those with timestamps, which tcp_tw_reuse needs
    std::uint32_t fin_wait2 = 0;      ///< mini-sockets
    std::uint32_t ended = 0;          ///< mini-sockets that began since the pass before
    std::uint32_t self_connected = 0; ///< sockets whose peer is the socket itself
    std::optional<std::chrono::milliseconds> next_end; ///< of a mini-socket; none: there is none
    std::array<std::uint32_t, ends_steps> ends{};
    std::uint64_t consumer = 0; ///< cgroup of more than half of the sockets proper, if any has so
                                ///< many; 0: nobody's
    bool is_partial = false;    ///< there are more, which the next pass counts

    [[nodiscard]] std::uint32_t minis() const { return time_wait + fin_wait2; }
    [[nodiscard]] std::uint32_t sockets() const {
        return connecting + established + close_wait + closing + minis();
    }
    bool operator==(const TupleCount&) const = default;
};

/// A port that bind() was asked for while connections had it that connect() chose it for.
struct TakenPort {
    std::uint32_t netns = 0; ///< inode number
    std::uint16_t port = 0;
    std::uint32_t pid = 0; ///< of the process that asked
    std::string comm;      ///< its name
    std::uint64_t cgroup = 0;
    TupleKey holder; ///< of one of these connections
    std::uint64_t holder_cgroup = 0;

    bool operator==(const TakenPort&) const = default;
};

/// Sockets of the host that nobody has open, and whose end is still to be agreed on with the peer.
struct Orphans {
    std::uint64_t count = 0;
    std::uint64_t most = 0; ///< net.ipv4.tcp_max_orphans; 0: not known

    bool operator==(const Orphans&) const = default;
};

/// One pass.
struct PortCount {
    std::uint32_t pass = 0;
    std::chrono::steady_clock::time_point began;
    std::optional<std::chrono::nanoseconds> since; ///< the beginning of the pass before
    std::vector<TupleCount> tuples;
    std::map<std::uint32_t, PortSpace> spaces; ///< by inode number
    std::vector<TakenPort> taken;
    Orphans orphans;
    std::uint64_t sockets = 0;  ///< met
    std::uint32_t least = 1;    ///< tuples with fewer sockets are not among `tuples`
    std::uint64_t left_out = 0; ///< sockets of such
    std::uint64_t torn = 0;     ///< chains that changed while they were read, so counts may be off
    std::uint64_t unreadable = 0; ///< places in memory that could not be read
    std::uint64_t full = 0;       ///< sockets and ports that found no room in a table
    std::chrono::nanoseconds cpu{0};

    [[nodiscard]] bool is_exact() const { return torn == 0 && unreadable == 0 && full == 0; }
};

} // namespace ballast

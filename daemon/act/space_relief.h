// SPDX-License-Identifier: Apache-2.0
// What Ballast does to the local ports of one network namespace, by its sysctls.
//
// Invariants
// S1. Each change is on the undo list before it is made (undo_list.h, L1).
// S2. Nothing is written where the sysctl has a value that Ballast did not give it and did not find
//     at first: ECANCELED, and the change is taken off the list.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "daemon/act/undo_list.h"

namespace ballast::act {

/// Local ports that connect() chooses from, both ends in it: net.ipv4.ip_local_port_range, for IPv6
/// too.
struct PortRange {
    std::uint32_t low = 0;
    std::uint32_t high = 0;

    [[nodiscard]] std::string text() const;
    /// The same without its first port, so that connect() tries the other parity first. No port is
    /// added: a program may serve the one behind it.
    [[nodiscard]] PortRange flipped() const { return {low + 1, high}; }
    bool operator==(const PortRange&) const = default;
};

/// SYNs of a namespace since it began (/proc/net/netstat and snmp).
struct SynCounts {
    std::uint64_t opens = 0;       ///< connects (ActiveOpens)
    std::uint64_t retransmits = 0; ///< of their SYNs (TCPSynRetrans)
};

class SpaceRelief {
public:
    /// Fails where no process lives in the namespace. `list` outlives the object.
    static Result<SpaceRelief> open(std::uint32_t inode, UndoList& list);

    /// Of the namespace (SO_NETNS_COOKIE).
    [[nodiscard]] std::uint64_t cookie() const { return cookie_; }

    /// Has connect() search the other parity first, and back.
    Result<void> flip();
    /// Makes the range that large.
    Result<void> widen(const PortRange& range);
    /// net.ipv4.tcp_tw_reuse = 1; EALREADY where it is that. `after`, if not 0: at most that old
    /// has a TIME_WAIT to be, where the kernel has tcp_tw_reuse_delay (Linux 6.14), in place of a
    /// second.
    Result<void> reuse(std::chrono::milliseconds after);

    /// Each takes back what the one above did, and is well where nothing was done.
    Result<void> stop_flipping();
    Result<void> stop_widening();
    Result<void> stop_reusing();

    Result<SynCounts> syn_counts();

private:
    SpaceRelief(kernel::NetNamespace where, std::uint64_t cookie, UndoList& list)
        : where_(std::move(where)), cookie_(cookie), list_(&list) {}
    Result<void> apply_range();
    Result<void> set(const std::string& name, const std::string& value);
    Result<void> put_back(const std::string& name);
    [[nodiscard]] SysctlChange change_of(const std::string& name) const {
        return {.space = {where_.inode, cookie_}, .name = name, .before = {}, .ours = {}};
    }

    kernel::NetNamespace where_;
    std::uint64_t cookie_;
    UndoList* list_;
    std::optional<PortRange> before_; ///< known once the range was first changed
    std::optional<PortRange> wider_;
    bool is_flipped_ = false;
};

/// Of a namespace that Ballast has not changed. `cookie`: SO_NETNS_COOKIE; ENOENT where no process
/// lives in it.
Result<SynCounts> syn_counts(kernel::NetNamespace where, std::uint64_t cookie);

} // namespace ballast::act

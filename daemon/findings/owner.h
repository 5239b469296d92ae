// SPDX-License-Identifier: Apache-2.0
// Which process has a socket open, found as `ss -p` finds it: by the links of /proc/PID/fd
// (proc(5), "socket:[INODE]"). That costs one system call for each file of each process, so those
// in the socket's network namespace come first, and at most `most_links` links are read a second.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "daemon/model/finding.h"

namespace ballast::findings {

class OwnerFinder {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    /// Links read in a second, about a microsecond each.
    static constexpr std::size_t most_links = 20'000;

    /// `proc` is "/proc".
    explicit OwnerFinder(std::string proc) : proc_(std::move(proc)) {}

    /// Unknown (pid 0) if no process has it open, or if this second's share of links is used up.
    /// `netns` and `inode` are inode numbers, of the namespace and of the socket.
    SocketOwner find(std::uint32_t netns, std::uint32_t inode, Monotonic now);

    /// Searches that were cut short.
    [[nodiscard]] std::uint64_t skipped() const { return skipped_; }

private:
    [[nodiscard]] bool may_read() const;
    bool is_link_to(int directory, const char* name, const std::string& target);
    bool has_open(int process, const std::string& socket);
    SocketOwner find_among(bool is_native, const std::string& space, const std::string& socket);
    [[nodiscard]] SocketOwner describe(int process, std::uint32_t pid) const;

    std::string proc_;
    Monotonic second_begins_{};
    std::size_t links_ = 0; ///< read since
    std::uint64_t skipped_ = 0;
};

/// Of the text of /proc/PID/cgroup: the first unit on the way down from the root, which no user can
/// forge; the whole path if there is none. Empty: it has no cgroup v2.
std::string unit_of(const std::string& cgroup_text);

} // namespace ballast::findings

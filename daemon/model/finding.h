// SPDX-License-Identifier: Apache-2.0
// A guard's conclusion, with its evidence.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "daemon/findings/reasons.h"
#include "daemon/util/address.h"

namespace ballast {

/// The process that has a socket open.
struct SocketOwner {
    std::uint32_t pid = 0; ///< 0: not known
    std::string comm;      ///< as in /proc/PID/comm
    std::string unit;      ///< outermost systemd unit, else the cgroup's path; empty: not known

    bool operator==(const SocketOwner&) const = default;
};

struct Finding {
    findings::Reason reason{};
    Endpoint destination = {};      ///< port 0: it is about none
    std::string service = {};       ///< empty: none
    std::string evidence = {};      ///< "key=value ..." for people and for grep
    std::string kind = {};          ///< where its reason has kinds: "silently_dropped"
    std::uint32_t netns = 0;        ///< inode number; 0: not known
    std::string tcp_state = {};     ///< of the first flow it names, "ESTAB"; empty: not known
    SocketOwner owner = {};         ///< of that flow
    std::optional<bool> acted = {}; ///< something was done, or held back; none: nothing was due

    bool operator==(const Finding&) const = default;
};

/// A finding as it is kept. Times are the wall clock's.
struct KeptFinding {
    std::uint64_t id = 0; ///< grows, over restarts too
    std::chrono::system_clock::time_point at;
    std::chrono::system_clock::time_point last; ///< of it or what is alike and was coalesced
    std::uint64_t coalesced = 0;                ///< findings that were alike and are not kept
    Finding what;

    bool operator==(const KeptFinding&) const = default;
};

} // namespace ballast

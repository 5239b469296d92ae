// SPDX-License-Identifier: Apache-2.0
// The subcommands of ballast-load: clients and a server that scripts/bench and scripts/demo direct.
// Each prints its result as one line of JSON on stdout; those that stay print it when they are
// ready and end with a signal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/util/address.h"
#include "daemon/util/error.h"

namespace ballast::bench {

using Clock = std::chrono::steady_clock;

/// Accepts on every endpoint and keeps each connection until the peer ends it, or asks: a request,
/// of whatever size, gets one byte and the end of the connection. Stays.
Result<void> serve(const std::vector<Endpoint>& endpoints);

struct HoldOptions {
    Endpoint to;
    std::uint32_t count = 0;
    std::vector<Address> from; ///< source addresses, used in turn; empty: the kernel's choice
};

/// Opens `count` idle connections; fails if one cannot be opened. Stays.
Result<void> hold(const HoldOptions& options);

struct SpacesOptions {
    Endpoint at;               ///< of the listener that each namespace has; a loopback address
    std::uint32_t count = 0;   ///< namespaces
    std::uint32_t sockets = 0; ///< in each, listeners apart; both ends of a connection count
};

/// Makes network namespaces with a process in each that holds connections within it. Stays.
Result<void> spaces(const SpacesOptions& options);

struct RateOptions {
    Endpoint to;
    std::uint32_t count = 0;             ///< stops after as many connections ...
    std::chrono::milliseconds at_most{}; ///< ... or after this time, whichever is first
    std::chrono::milliseconds pause{};   ///< after each connection
    bool whole = false;                  ///< a request, its answer and the end, not a reset
};

/// Connects, and resets or asks, one after the other from one thread; prints connections,
/// per_second and median_us of connect(). Fails if one connection does.
Result<void> rate(const RateOptions& options);

struct ConnectsOptions {
    Endpoint to;
    std::uint32_t count = 0;
};

/// Connects and resets, one after the other; prints median and p99 of the connects that succeeded
/// and of those that failed, and their errors.
Result<void> connects(const ConnectsOptions& options);

struct RaceOptions {
    Endpoint to;
    std::uint32_t threads = 0;
    std::chrono::milliseconds lasting{};
};

/// Threads that connect, ask for `/` by HTTP, hold the connection some milliseconds, close it and
/// start again, all at once; a refused one pauses a millisecond. Prints what they met.
Result<void> race(const RaceOptions& options);

struct SlotsOptions {
    Endpoint to;
    std::uint32_t most = 0;   ///< gives up looking for a limit after as many connections
    std::uint32_t rounds = 0; ///< of closing one and opening one
};

/// Opens connections until one is refused, then closes one and sees that exactly one is admitted.
Result<void> slots(const SlotsOptions& options);

struct CallsOptions {
    Endpoint to;
    std::uint32_t threads = 0;
    std::chrono::milliseconds lasting{};
    std::chrono::milliseconds timeout{}; ///< after which a caller gives up
    std::chrono::milliseconds keep{};    ///< an established connection is kept so long
    std::chrono::milliseconds pause{};   ///< after each call
};

/// Threads that connect and reset, with a time-out; prints for each second how many were answered,
/// what errors there were and how long the failed ones took.
Result<void> calls(const CallsOptions& options);

struct PacketsOptions {
    Endpoint to;               ///< IPv4
    std::uint32_t program = 0; ///< id, of traffic control's
};

/// Gives a program frames by test-run, in the caller's network namespace; prints the time and the
/// verdict for each kind, beside a program that does nothing: `ack` of a connection, `syn` to the
/// endpoint, `other_syn` to another port, and both `once`, since what answers a packet changes it.
Result<void> time_packets(const PacketsOptions& options);

struct SynsOptions {
    Endpoint to;          ///< IPv4
    std::string device;   ///< to send by
    std::string ethernet; ///< address of the next hop, "02:00:00:00:00:01"
    std::chrono::milliseconds lasting{};
};

/// Sends SYNs from other sources and ports as fast as they are taken; prints sent and per_second.
Result<void> send_syns(const SynsOptions& options);

/// Attaches programs that do nothing to the hooks that Ballast uses, below `cgroup` where the hook
/// is a cgroup's, and pins their links in `directory`, which must be on a bpffs.
Result<void> pin_empty_hooks(const std::string& cgroup, const std::string& directory);

} // namespace ballast::bench

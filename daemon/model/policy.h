// SPDX-License-Identifier: Apache-2.0
// The validated policy as plain data: what the configuration says after parsing, defaults applied.
// Invariants
// 1. Names are unique, every range check passed, services.size() <= kMaxServices, targets in all
//    <= kMaxTargets.
// 2. Among the targets of one exact prefix no port belongs to two services without `from`, nor to
// two
//    that share an element of it; any-port apart, which gives way to a range.
// 3. One exact prefix has at most kMaxPortRanges distinct ranges, and with what it takes over from
//    shorter prefixes at most kMaxPortSpans spans (daemon/model/prefix_rules.h).
// 4. At most kMaxFrom distinct elements of `from`, which choose among at most kMaxAlternatives
//    candidates, and at most kMaxNames DNS names.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/model/half_open_kind.h"
#include "daemon/model/listener_rule.h"
#include "daemon/model/mode.h"
#include "daemon/model/port_rule.h"
#include "daemon/util/address.h"

namespace ballast {

/// Limits of the maps that hold a policy (bpf/abi.h; policy.cpp asserts that they agree).
inline constexpr std::size_t kMaxServices = 1023; ///< row 0 of the limits means "none"
inline constexpr std::size_t kMaxTargets = 16'384;
inline constexpr std::size_t kMaxPortRanges = 15; ///< distinct, of one exact prefix
inline constexpr std::size_t kMaxPortSpans = 32;
inline constexpr std::size_t kMaxFrom = 256;           ///< distinct elements of `from` in all
inline constexpr std::size_t kMaxAlternatives = 4'095; ///< rows that `from` chooses among, in all
inline constexpr std::size_t kMaxFromLength = 127;
inline constexpr std::size_t kMaxNames = 256;      ///< DNS names in all
inline constexpr std::size_t kMaxNameAnswers = 64; ///< addresses of one name that are governed

inline constexpr std::size_t kMaxSources = 15; ///< of a source_pool (bpf/abi_relief.h)

inline constexpr std::size_t kMaxServiceName = 63;
inline constexpr std::uint32_t kMaxConnections = 1'000'000;
inline constexpr std::uint32_t kMaxConnectRate = 1'000'000;

/// The errno that a refused connect() sees. Values are those of `enum ballast_on_limit`.
enum class OnLimit : std::uint8_t { refused = 0, again = 1, unreachable = 2 };

/// One element of a service's `to`: a prefix and an inclusive port range, host byte order.
struct Target {
    Prefix prefix;
    std::uint16_t port_first = 0;
    std::uint16_t port_last = 65535;

    [[nodiscard]] bool any_port() const { return port_first == 0 && port_last == 65535; }
    /// "10.1.0.0/16", "10.0.0.5:5432", "[2001:db8:1::]/48:8000-8099"; parse_target() reads it back.
    [[nodiscard]] std::string text() const;
    bool operator==(const Target&) const = default;
};

/// Parses one element of `to`: ADDRESS[/LENGTH][:PORT[-PORT]], with brackets around an IPv6 address
/// that has a port. Ports 1..65535; without a port the target is for any. Host bits are refused.
Result<Target> parse_target(std::string_view text);

/// An element of `to` that is a DNS name: what it resolves to is governed on these ports.
struct NamedTarget {
    std::string host; ///< lower case, without a trailing dot
    std::uint16_t port_first = 0;
    std::uint16_t port_last = 65535;
    std::string origin = {}; ///< "FILE:LINE" of the element, for messages

    /// "db.internal:5432", as parse_named_target() reads it.
    [[nodiscard]] std::string text() const;
    /// Where it stands makes no difference.
    bool operator==(const NamedTarget& other) const {
        return host == other.host && port_first == other.port_first && port_last == other.port_last;
    }
};

/// An element of `to` that is there because a DNS name has that address.
struct ResolvedTarget {
    Target target;
    std::string host; ///< as in NamedTarget

    bool operator==(const ResolvedTarget&) const = default;
};

/// True for an element of `to` that parse_named_target() is to read: without brackets and "/", with
/// a letter before the only ":", if there is one.
bool is_named_target(std::string_view text);

/// Parses NAME[:PORT[-PORT]]. NAME is of RFC 1123, and its last label has a letter, so that it is
/// no mistyped address; one dot at its end is dropped.
Result<NamedTarget> parse_named_target(std::string_view text);

/// Why a connection counts as failed (bpf/abi.h, enum ballast_failure), in that order.
enum class Failure : std::uint8_t {
    timed_out,      ///< no answer to any SYN
    refused,        ///< RST in answer to the SYN
    unreachable,    ///< ICMP, or no neighbour
    slow,           ///< established, but later than slow_connect
    reset,          ///< RST within reset_within of establishment
    half_open_flow, ///< established, but its packets no longer reach anybody
};
inline constexpr std::size_t kFailures = 6;

/// The circuit breaker of each of a service's destinations.
struct Breaker {
    Mode mode = Mode::observe;
    std::chrono::milliseconds window{10'000}; ///< sliding; failures within it count
    /// Least failures of one kind within the window that open the breaker; 0: the kind is ignored.
    std::array<std::uint16_t, kFailures> thresholds{5, 10, 5, 10, 10, 3};
    /// Least part of the attempts, in percent, that has to fail for that; 0: whatever part.
    std::uint8_t failure_percent = 50;
    std::chrono::milliseconds slow_connect{0}; ///< 0: no connect is slow
    std::chrono::milliseconds reset_within{0}; ///< 0: no reset is early
    /// The first time; doubles, jittered by a quarter. Both are short, since an outage lasts for
    /// the programs as long as its breaker stays open after its end.
    std::chrono::milliseconds open_for{500};
    std::chrono::milliseconds open_max{1'000};
    std::uint16_t probes = 1;               ///< admitted at a time, and needed to close
    std::chrono::milliseconds ramp{10'000}; ///< 0: the full limit at once
    std::uint8_t ramp_start = 10;           ///< percent of the limit when the ramp begins

    bool operator==(const Breaker&) const = default;
};

/// The action on a flow that is found half-open, where its guard enforces.
enum class HalfOpenAction : std::uint8_t {
    report, ///< it is reported
    reset,  ///< and the blocked program gets an error
};

/// The evidence that a destination lives, where a flow to it does not.
enum class HalfOpenWitness : std::uint8_t {
    passive, ///< its other flows
    connect, ///< where these show nothing, a fresh connect
};

/// How a service's half-open flows are found, and what becomes of them.
struct HalfOpen {
    Mode mode = Mode::observe;
    HalfOpenAction action = HalfOpenAction::report;
    std::uint8_t confirm_retransmits = 3;          ///< in a row, nothing received meanwhile
    std::chrono::milliseconds response_timeout{0}; ///< 0: an answer may take any time
    HalfOpenWitness witness = HalfOpenWitness::passive;
    /// The kinds that `action` may reset. By default the one whose flows would not recover.
    HalfOpenKinds reset_kinds = HalfOpenKinds().with(HalfOpenKind::silently_dropped);
    /// Silence of a dead path that a flow is given before it may be reset: outages end.
    std::chrono::milliseconds path_down_after{30'000};

    bool operator==(const HalfOpen&) const = default;
};

/// Where the settings of keepalive come from. Values are those of `enum ballast_keepalive_kind`.
enum class KeepaliveKind : std::uint8_t {
    off = 0,       ///< applications' own stand
    automatic = 1, ///< what is known of the path
    fixed = 2,     ///< the policy
};

/// Destinations with this many leading address bits in common, on one port, are taken to share a
/// path: what flows of one show holds for those of which nothing is known. By default none do.
struct LearnPrefixes {
    static constexpr std::uint8_t most_ipv4 = 32;
    static constexpr std::uint8_t most_ipv6 = 128;
    std::uint8_t ipv4 = most_ipv4;
    std::uint8_t ipv6 = most_ipv6;

    bool operator==(const LearnPrefixes&) const = default;
};

/// How a service's connections are kept alive while idle.
struct KeepaliveRule {
    Mode mode = Mode::observe;
    KeepaliveKind kind = KeepaliveKind::automatic;
    std::chrono::seconds start{60}; ///< automatic: silence before a probe, where nothing is known
    std::chrono::seconds idle{60};  ///< fixed: silence before the first probe, 10% less at least
    std::chrono::seconds interval{10}; ///< fixed: between probes without answer
    std::uint8_t count = 9;            ///< fixed: of them, then the connection ends
    LearnPrefixes learn_prefix;        ///< automatic
    std::chrono::seconds max{0};       ///< automatic: the most, whatever is known; 0: as start

    bool operator==(const KeepaliveRule&) const = default;
};

/// What may be done where a service's tuples run out of local ports.
struct PortRule {
    Mode mode = Mode::observe;
    Reliefs relief;
    std::vector<Address> source_pool; ///< spread: addresses of this host, at most kMaxSources

    bool operator==(const PortRule&) const = default;
};

/// One policy row. Where not said otherwise the limits hold per destination.
struct Service {
    std::string name;
    std::vector<Target> to;
    std::vector<NamedTarget> to_names;    ///< what they resolve to is added to `to` (daemon/config)
    std::vector<ResolvedTarget> resolved; ///< which of `to` that is
    /// Local consumers it holds for, empty: all. Unit names ("app-*.service") or cgroup paths
    /// ("/system.slice/app-*"); '*' and '?' within one component; what is below matches too.
    std::vector<std::string> from;
    std::optional<std::uint32_t> max_connections;       ///< none: counted, never limited
    std::optional<std::uint32_t> max_connections_total; ///< to all destinations together
    std::optional<std::uint32_t> max_per_consumer;      ///< each consumer's share of a destination
    std::optional<std::uint32_t> max_connect_rate;      ///< connect() calls per second
    std::uint32_t burst = 0; ///< connect() calls that may come at once; 0: as max_connect_rate
    std::chrono::milliseconds connect_timeout{0}; ///< 0: the kernel's
    OnLimit on_limit = OnLimit::refused;
    Mode mode = Mode::observe; ///< of the limits
    Breaker breaker;
    HalfOpen half_open;
    KeepaliveRule keepalive;
    PortRule ports;
    std::string origin; ///< "FILE:LINE", or "override by USER at TIME" for one set by the CLI

    bool operator==(const Service&) const = default;
};

struct DaemonOptions {
    std::chrono::milliseconds daemon_grace{60'000};  ///< 0: never fail open for a silent daemon
    std::chrono::milliseconds sweep_interval{5'000}; ///< shortest; stretched to stay under 1% CPU
    std::chrono::milliseconds destination_ttl{600'000}; ///< forgotten when unused for this long
    std::string agent_listen;                           ///< likewise, for HAProxy's agent-check
    std::string metrics_listen;                         ///< "127.0.0.1:PORT" or empty: none
    std::chrono::milliseconds resolve_every{30'000};    ///< interval of DNS lookups

    bool operator==(const DaemonOptions&) const = default;
};

/// Bounds on everything that changes the host: rates, and what makes the observer suspect.
struct GovernorOptions {
    std::uint32_t actions_per_minute = 120; ///< of all kinds
    std::uint32_t breaker_opens_per_minute = 30;
    std::uint32_t resets_per_minute = 60;     ///< of half-open flows
    std::uint8_t observer_fault_percent = 50; ///< of active destinations failing: our own fault
    std::chrono::milliseconds observer_fault_window{10'000};
    std::chrono::milliseconds release_after{30'000}; ///< calm period before a hold is released
    bool dry_run = false; ///< decide and report, but grant, hold and release nothing

    bool operator==(const GovernorOptions&) const = default;
};

/// The guards that have a mode, each in [guards] and in every service.
enum class GuardKind : std::uint8_t { limit, breaker, half_open, keepalive, ports };
/// Their keys in [guards], in that order.
inline constexpr std::array<std::string_view, 5> kGuardNames{"limit", "breaker", "half_open",
                                                             "keepalive", "ports"};

/// [guards]: the mode of each for services that name none, and for what no service governs.
using GuardModes = std::array<Mode, kGuardNames.size()>;
constexpr GuardModes observing() {
    GuardModes modes{};
    modes.fill(Mode::observe);
    return modes;
}

/// The guard's mode as the service's row has it.
Mode mode_of(GuardKind guard, const Service& service);

struct Policy {
    DaemonOptions daemon;
    GovernorOptions governor;
    GuardModes modes = observing();
    PortRule ports; ///< [ports]: of services that name none, and of what none governs; its mode is
                    ///< in `modes`
    ListenerOptions listener_options; ///< [listeners]
    std::vector<ListenerRule> listeners;
    std::vector<Service> services;

    /// By [guards].
    [[nodiscard]] Mode mode(GuardKind guard) const {
        return modes.at(static_cast<std::size_t>(guard));
    }
    bool operator==(const Policy&) const = default;
};

/// Whether every socket counts under the same services, totals and shares by both: then a change
/// from one to the other leaves nothing to be counted anew.
bool counts_alike(const Policy& a, const Policy& b);

/// The part of a policy that the datapath gets. It sets options of sockets by itself, without
/// asking the governor: in a dry run it only observes them, and connect() keeps its own timeout.
Policy datapath_policy(Policy policy);

} // namespace ballast

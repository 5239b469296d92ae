// SPDX-License-Identifier: Apache-2.0
// Every reason for a finding, in one table: what is not named here cannot be reported. A code is
// for programs and never changes: it is stored, and people alert on it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ballast::findings {

enum class Severity : std::uint8_t {
    info,     ///< something has ended, or goes on as it should
    warning,  ///< somebody ought to look at it
    critical, ///< Ballast cannot do its job, or this host is in trouble
};
inline constexpr std::array<std::string_view, 3> kSeverityNames{"info", "warning", "critical"};

enum class Reason : std::uint8_t {
    limit_refusing,
    limit_would_refuse,
    limit_cleared,
    breaker_opened,
    breaker_reopened,
    breaker_probing,
    breaker_ramping,
    breaker_closed,
    breaker_withheld,
    observer_fault,
    observer_fault_over,
    half_open_flow,
    half_open_flow_reset,
    half_open_flow_cleared,
    hook_reattached,
    hook_lost,
};

struct ReasonRow {
    Reason reason;
    std::string_view code;
    Severity severity;
    std::string_view summary; ///< one sentence, without its full stop
    std::string_view advice;  ///< what to do, likewise
};

inline constexpr std::array kReasons{
    ReasonRow{
        Reason::limit_refusing, "limit_refusing", Severity::warning,
        "New connections are refused: the destination is at its limit",
        "See who holds its connections (ballast flows dest=DEST); raise the limit only if the "
        "destination can bear it"},
    ReasonRow{Reason::limit_would_refuse, "limit_would_refuse", Severity::warning,
              "New connections would be refused if the limit were enforced",
              "Find out whether the limit is too low before enforcing it"},
    ReasonRow{Reason::limit_cleared, "limit_cleared", Severity::info,
              "Nothing was refused for a minute: the limit is not reached any more", "Nothing"},
    ReasonRow{Reason::breaker_opened, "breaker_opened", Severity::warning,
              "Too many connections failed: the breaker opened",
              "Look at the destination; ballast breaker list shows what failed and until when the "
              "breaker stays open"},
    ReasonRow{Reason::breaker_reopened, "breaker_reopened", Severity::warning,
              "A probe failed: the breaker is open again, for longer",
              "The destination is still failing; look at it"},
    ReasonRow{Reason::breaker_probing, "breaker_probing", Severity::info,
              "The breaker lets a few connections through to see whether the destination is back",
              "Nothing"},
    ReasonRow{Reason::breaker_ramping, "breaker_ramping", Severity::info,
              "Probes succeeded: connections are given back bit by bit", "Nothing"},
    ReasonRow{Reason::breaker_closed, "breaker_closed", Severity::info,
              "The breaker is closed: connections pass again", "Nothing"},
    ReasonRow{
        Reason::breaker_withheld, "breaker_withheld", Severity::warning,
        "The breaker would have opened and was kept closed: by order, by the governor's budget "
        "or its dry run",
        "If it should open: ballast breaker auto DEST, or [governor] in the policy"},
    ReasonRow{
        Reason::observer_fault, "observer_fault", Severity::critical,
        "Most destinations fail at once: this host's own network is suspect, and breakers stay "
        "closed",
        "Look at this host's links, routes, DNS and firewall"},
    ReasonRow{Reason::observer_fault_over, "observer_fault_over", Severity::info,
              "Most destinations answer again: breakers decide by themselves", "Nothing"},
    ReasonRow{Reason::half_open_flow, "half_open_flow", Severity::warning,
              "A connection's packets no longer reach its peer, and nobody was told",
              "A firewall or balancer forgot it, or the peer is gone: let keepalive hold the path "
              "open, or have half_open reset such connections"},
    ReasonRow{Reason::half_open_flow_reset, "half_open_flow_reset", Severity::warning,
              "What became of a half-open connection whose reset had to wait",
              "Where it was not reset, why says so: docs/half-open.md"},
    ReasonRow{Reason::half_open_flow_cleared, "half_open_flow_cleared", Severity::info,
              "A connection that was found half-open was heard of again", "Nothing"},
    ReasonRow{Reason::hook_reattached, "hook_reattached", Severity::warning,
              "Somebody detached a program of Ballast's; it is attached again",
              "Find out who did: two loaders on one hook fight"},
    ReasonRow{Reason::hook_lost, "hook_lost", Severity::critical,
              "Somebody detached a program of Ballast's, and it cannot be attached again",
              "Connections are no longer governed: find out who did, then restart ballastd"},
};

namespace detail {

/// One row for each reason, in the order of the enumerators, and no code twice.
constexpr bool is_a_table() {
    for (std::size_t i = 0; i < kReasons.size(); ++i) {
        const ReasonRow& row = kReasons.at(i);
        if (static_cast<std::size_t>(row.reason) != i || row.summary.empty() || row.advice.empty())
            return false;
        for (std::size_t j = 0; j < i; ++j)
            if (kReasons.at(j).code == row.code)
                return false;
    }
    return static_cast<std::size_t>(Reason::hook_lost) + 1 == kReasons.size();
}

} // namespace detail

static_assert(detail::is_a_table());

constexpr const ReasonRow& row_of(Reason reason) {
    return kReasons.at(static_cast<std::size_t>(reason));
}

/// "limit_refusing", stable.
constexpr std::string_view name_of(Reason reason) {
    return row_of(reason).code;
}

constexpr std::string_view name_of(Severity severity) {
    return kSeverityNames.at(static_cast<std::size_t>(severity));
}

/// None for a code that is not in the table.
constexpr std::optional<Reason> reason_named(std::string_view code) {
    for (const ReasonRow& row : kReasons)
        if (row.code == code)
            return row.reason;
    return std::nullopt;
}

} // namespace ballast::findings

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

/// ROW(code, severity, one sentence without its full stop, what to do, likewise)
#define BALLAST_REASONS(ROW)                                                                       \
    ROW(limit_refusing, warning, "New connections are refused: the destination is at its limit",   \
        "See who holds its connections (ballast flows dest=DEST); raise the limit only if the "    \
        "destination can bear it")                                                                 \
    ROW(limit_would_refuse, warning,                                                               \
        "New connections would be refused if the limit were enforced",                             \
        "Find out whether the limit is too low before enforcing it")                               \
    ROW(limit_cleared, info, "Nothing was refused for a minute: the limit is no longer reached",   \
        "Nothing")                                                                                 \
    ROW(breaker_opened, warning, "Too many connections failed: the breaker opened",                \
        "Look at the destination; ballast breaker list shows what failed and until when the "      \
        "breaker stays open")                                                                      \
    ROW(breaker_reopened, warning, "A probe failed: the breaker is open again, for longer",        \
        "The destination is still failing; look at it")                                            \
    ROW(breaker_probing, info,                                                                     \
        "The breaker lets a few connections through to see whether the destination is back",       \
        "Nothing")                                                                                 \
    ROW(breaker_ramping, info, "Probes succeeded: connections are given back bit by bit",          \
        "Nothing")                                                                                 \
    ROW(breaker_closed, info, "The breaker is closed: connections pass again", "Nothing")          \
    ROW(breaker_withheld, warning,                                                                 \
        "The breaker would have opened and was kept closed: by order, by the governor's budget "   \
        "or its dry run",                                                                          \
        "If it should open: ballast breaker auto DEST, or [governor] in the policy")               \
    ROW(observer_fault, critical,                                                                  \
        "Most destinations fail at once: this host's own network is suspect. Breakers stay "       \
        "closed, and only connections that are proven dead are reset",                             \
        "Look at this host's links, routes, DNS and firewall")                                     \
    ROW(observer_fault_over, info, "Most destinations answer again: breakers and resets go on",    \
        "Nothing")                                                                                 \
    ROW(half_open_flow, warning,                                                                   \
        "A connection stands still, and neither end has had an error: kind says why",              \
        "See what its kind means and what helps: docs/half-open.md")                               \
    ROW(half_open_flow_reset, warning, "A half-open connection whose reset had to wait was reset", \
        "See half_open_flow, which says what was wrong with it")                                   \
    ROW(half_open_flow_spared, info,                                                               \
        "A half-open connection whose reset had to wait was not reset",                            \
        "Nothing where it recovered; else why says what held it: docs/half-open.md")               \
    ROW(half_open_flow_cleared, info,                                                              \
        "A connection that was found half-open was heard from again", "Nothing")                   \
    ROW(ports_filling, warning,                                                                    \
        "A source is running out of local ports for a destination: at this rate connect() will "   \
        "be slow, or fail, within minutes",                                                        \
        "Have the client reuse its connections, or give it more: docs/ports.md")                   \
    ROW(ports_slow, warning,                                                                       \
        "Half of a source's local ports for a destination are in use: each connect() searches "    \
        "the used half first, and takes milliseconds",                                             \
        "Shift net.ipv4.ip_local_port_range by one, which takes effect at once: docs/ports.md")    \
    ROW(ports_exhausted, critical,                                                                 \
        "All of a source's local ports for a destination are in use: connect() fails with "        \
        "EADDRNOTAVAIL",                                                                           \
        "Have the client reuse its connections; more source addresses or a wider range help at "   \
        "once: docs/ports.md")                                                                     \
    ROW(ports_clear, info,                                                                         \
        "The source has had enough local ports for the destination for a minute", "Nothing")       \
    ROW(ports_relief, warning,                                                                     \
        "A source runs out of local ports for a destination, and Ballast relieves it: rung says "  \
        "how",                                                                                     \
        "Nothing at once; the cause is still there: docs/ports.md")                                \
    ROW(ports_relief_withheld, warning,                                                            \
        "A source runs out of local ports for a destination, and what would relieve it was not "   \
        "done: why says what held it",                                                             \
        "Where it should be done: [guards] ports = \"enforce\"; else see why: docs/ports.md")      \
    ROW(ports_relief_over, info, "What relieved a source of local ports was taken back",           \
        "Nothing where why is calm or policy; else see docs/ports.md")                             \
    ROW(bind_before_connect, warning,                                                              \
        "Programs bind local ports before connect(): it skips them for every destination",         \
        "Have the program set IP_BIND_ADDRESS_NO_PORT before bind(), or not bind at all: "         \
        "docs/ports.md")                                                                           \
    ROW(churn, warning,                                                                            \
        "A program opens connections and closes them at once: each keeps its local port for a "    \
        "minute",                                                                                  \
        "Have it reuse connections: HTTP keep-alive, a pool whose idle size fits its load")        \
    ROW(closes_first, warning,                                                                     \
        "A program closes its connections before the peer does, and opens others: each keeps its " \
        "local port for a minute",                                                                 \
        "Let the peer close first, or keep connections for longer: an idle timeout above the "     \
        "peer's")                                                                                  \
    ROW(fin_wait2_build_up, warning,                                                               \
        "The peer does not close connections that were closed here: each keeps its local port "    \
        "until it times out",                                                                      \
        "Have the peer close its sockets; see CLOSE_WAIT there")                                   \
    ROW(close_wait_leak, warning,                                                                  \
        "A program does not close connections that its peer has closed: they only grow in number", \
        "Restart the program if it is short of descriptors or ports, and have its error paths "    \
        "close their sockets")                                                                     \
    ROW(orphans, warning,                                                                          \
        "Half of the sockets that the kernel allows to end without an owner do so: beyond it, it " \
        "resets them, with what they have not sent",                                               \
        "See which peers do not answer; then raise net.ipv4.tcp_max_orphans, or lower "            \
        "net.ipv4.tcp_orphan_retries")                                                             \
    ROW(tw_bucket_overflow, warning,                                                               \
        "TIME_WAIT has reached net.ipv4.tcp_max_tw_buckets: the kernel ends connections without "  \
        "it",                                                                                      \
        "Raise net.ipv4.tcp_max_tw_buckets; ballast ports shows who closes connections")           \
    ROW(port_taken, warning,                                                                       \
        "A program asked for a port that a connection of another has, which got it from "          \
        "ip_local_port_range",                                                                     \
        "Close that connection or restart its program; add the port to "                           \
        "net.ipv4.ip_local_reserved_ports")                                                        \
    ROW(self_connect, warning,                                                                     \
        "A program is connected to itself: nobody listened on the port, and its own was the same", \
        "Start the service it wanted, restart the program, and move that port out of "             \
        "ip_local_port_range or add it to ip_local_reserved_ports")                                \
    ROW(listener_not_accepting, critical,                                                          \
        "Nobody accepts connections of a listener: those that wait, wait on, and health checks "   \
        "that only connect still pass",                                                            \
        "See what its process does (pid): a stack of all threads, then restart it")                \
    ROW(listener_one_stuck, warning,                                                               \
        "One of several that listen on a port (SO_REUSEPORT) accepts nothing: its share of the "   \
        "connections waits",                                                                       \
        "See what that process does (pid), then restart it; its siblings are well")                \
    ROW(listener_overflow, warning,                                                                \
        "A listener's accept queue is full, and SYNs are dropped: clients try again after 1, 3, "  \
        "7 s",                                                                                     \
        "More workers, or a longer queue for bursts: would_have_held says how long; "              \
        "docs/listeners.md")                                                                       \
    ROW(listener_flood, warning,                                                                   \
        "A listener's SYN queue is full: a flood of SYNs, or clients whose last handshake "        \
        "segment "                                                                                 \
        "does not arrive",                                                                         \
        "See where the SYNs come from; net.ipv4.tcp_syncookies has the others served")             \
    ROW(listener_closed_waiting, warning,                                                          \
        "A listener was closed while connections waited at it: their clients see a reset",         \
        "Have the program accept what waits before it closes, or hand the socket over (systemd "   \
        "socket activation, SO_REUSEPORT with net.ipv4.tcp_migrate_req)")                          \
    ROW(listener_clear, info, "A listener has been well for a minute", "Nothing")                  \
    ROW(listener_shedding, warning,                                                                \
        "A listener cannot keep up: some of its SYNs are refused as they come in, so that the "    \
        "others are served",                                                                       \
        "More workers, or faster ones; ballast listeners shows what is refused, and why: "         \
        "docs/listeners.md")                                                                       \
    ROW(listener_would_shed, warning,                                                              \
        "A listener cannot keep up: some of its SYNs would be refused if that were enforced",      \
        "See whether its [[listener]] is right before enforcing it: docs/listeners.md")            \
    ROW(listener_shed_over, info, "No SYN of a listener was refused for a minute", "Nothing")      \
    ROW(hook_reattached, warning,                                                                  \
        "Somebody detached a program of Ballast's; it is attached again",                          \
        "Find out who did: two loaders on one hook fight")                                         \
    ROW(hook_lost, critical,                                                                       \
        "Somebody detached a program of Ballast's, and it cannot be attached again",               \
        "Connections are no longer governed: find out who did, then restart ballastd")

#define BALLAST_REASON_ENUMERATOR(code, severity, summary, advice) code,
enum class Reason : std::uint8_t { BALLAST_REASONS(BALLAST_REASON_ENUMERATOR) };
#undef BALLAST_REASON_ENUMERATOR

struct ReasonRow {
    Reason reason;
    std::string_view code;
    Severity severity;
    std::string_view summary; ///< one sentence, without its full stop
    std::string_view advice;  ///< what to do, likewise
};

#define BALLAST_REASON_ROW(code, severity, summary, advice)                                        \
    ReasonRow{Reason::code, #code, Severity::severity, summary, advice},
inline constexpr std::array kReasons{BALLAST_REASONS(BALLAST_REASON_ROW)};
#undef BALLAST_REASON_ROW

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

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "cli/format.h"
#include "cli/human.h"
#include "cli/views/views.h"
#include "daemon/model/half_open_kind.h"

namespace ballast::cli {
namespace {

constexpr double kMaxCpuPercent = 1.0; ///< what the sweeps may cost (of one core)
constexpr std::uint64_t kFullPercent = 80;

enum class Level { ok, warn, bad };

/// One line of the screen.
struct Line {
    Level level;
    std::string what;
    std::string detail;
    std::string more = {}; ///< a second line of detail
};

std::uint64_t number(const Json& object, const char* key) {
    return object.at(key).get<std::uint64_t>();
}

std::string string(const Json& object, const char* key) {
    return harmless(object.at(key).get<std::string>());
}

Line daemon_line(const Json& status) {
    return {Level::ok, "daemon",
            fmt::format("ballastd {}, pid {}, up {}, kernel {}{}", string(status, "version"),
                        number(status, "pid"), human_ms(status.at("uptime_ms")),
                        string(status, "kernel"),
                        status.at("adopted_pins").get<bool>() ? ", took over earlier pins" : "")};
}

Line guards_line(const Json& status) {
    if (!status.at("armed").get<bool>())
        return {Level::bad, "guards",
                "DISARMED: everything is counted and nothing refused (ballast arm ends that)"};
    return {Level::ok, "guards",
            fmt::format("armed; limit: {} unless a service says otherwise",
                        string(status, "limit_mode"))};
}

Line hooks_line(const Json& status) {
    const Json& hooks = status.at("hooks");
    std::string lost;
    for (const Json& name : hooks.at("lost"))
        lost += (lost.empty() ? "" : ", ") + harmless(name.get<std::string>());
    if (!lost.empty())
        return {Level::bad, "hooks",
                fmt::format("NOT ATTACHED: {}; what it does for new connections is not done, and "
                            "the log says why",
                            lost)};
    const auto again = number(hooks, "reattached");
    if (again != 0)
        return {Level::warn, "hooks",
                fmt::format("all attached; {} by somebody else and attached again",
                            counted(again, "time") + " detached")};
    const auto missed = number(hooks, "recursion_misses");
    return {Level::ok, "hooks",
            missed == 0 ? "every program is attached"
                        : fmt::format("every program is attached; {} of them left out by the "
                                      "kernel since they were loaded",
                                      counted(missed, "run"))};
}

std::string at_limit_text(std::uint64_t at_limit, std::uint64_t over, const std::string& of) {
    if (at_limit == 0)
        return fmt::format("none of {} at its limit", of);
    return fmt::format("{} of {} at the limit, {} of them over it", at_limit, of, over);
}

Line limits_line(const Json& status) {
    const Json& limits = status.at("limits");
    const auto at_limit = number(limits, "at_limit");
    const auto destinations = number(status.at("capacity"), "destinations");
    return {at_limit == 0 ? Level::ok : Level::warn, "limits",
            fmt::format("{}; {} refused, {} let through over it",
                        at_limit_text(at_limit, number(limits, "over_limit"),
                                      counted(destinations, "destination")),
                        counted(number(limits, "refused"), "connect"),
                        number(limits, "admitted_over_limit"))};
}

Line policy_line(const Json& status) {
    const Json& policy = status.at("policy");
    const std::string in_force =
        fmt::format("{}, generation {}, {}, loaded {} ago", string(policy, "file"),
                    number(policy, "generation"), counted(number(policy, "services"), "service"),
                    human_ms(policy.at("age_ms")));
    if (policy.at("error").is_null())
        return {Level::ok, "policy", in_force};
    return {Level::bad, "policy", "newest file REFUSED: " + string(policy, "error"),
            "still in force: " + in_force};
}

/// "daemon_silent" as "daemon silent".
std::string words(std::string key) {
    std::replace(key.begin(), key.end(), '_', ' ');
    return key;
}

/// "3 destinations full, 17 daemon silent": the counts that are not 0.
std::string counts_text(const Json& counts) {
    std::string text;
    for (const auto& [reason, count] : counts.items())
        if (count != 0)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count.dump(), words(reason));
    return text;
}

Line fail_open_line(const Json& status) {
    const std::string reasons = counts_text(status.at("fail_open"));
    if (const std::string bugs = counts_text(status.at("bugs")); !bugs.empty())
        return {Level::bad, "fail open", "what cannot happen did, please report it: " + bugs,
                reasons.empty() ? "" : "connects let through undecided: " + reasons};
    if (reasons.empty())
        return {Level::ok, "fail open", "0 connects let through undecided"};
    return {Level::warn, "fail open", "connects let through undecided: " + reasons};
}

/// "2 refuse new connections (1 forced), see `ballast breaker list`"
std::string refusing_text(const Json& breakers) {
    const auto refusing = number(breakers, "refusing");
    const auto forced = number(breakers, "forced_open");
    return fmt::format("{} open: {} new connections{} (ballast breaker list)",
                       counted(refusing, "breaker"), refusing == 1 ? "it refuses" : "they refuse",
                       forced == 0 ? "" : fmt::format(", {} forced open", forced));
}

Line breakers_line(const Json& status) {
    const std::string losses = counts_text(status.at("breaker_losses"));
    const std::string lost =
        losses.empty() ? "" : "not all was counted, reported or done: " + losses;
    if (number(status.at("breakers"), "refusing") != 0)
        return {Level::bad, "breakers", refusing_text(status.at("breakers")), lost};
    if (status.at("governor").at("dry_run").get<bool>())
        return {Level::warn, "breakers",
                "DRY RUN: none opens, and the governor holds none ([governor] dry_run)", lost};
    if (losses.empty())
        return {Level::ok, "breakers", "every failure counted, every change reported"};
    return {Level::warn, "breakers", lost};
}

/// "2 silently dropped, 1 path down".
std::string found_text(const Json& flows) {
    Json found = Json::object();
    for (const std::string_view kind : kHalfOpenKindNames)
        found[std::string(kind)] = flows.at(std::string(kind));
    for (const char* outcome : {"reset", "reset_withheld", "reset_waiting"})
        found[outcome] = flows.at(outcome);
    const std::string text = counts_text(found);
    return text.empty() ? "none found" : text;
}

Line half_open_line(const Json& status) {
    const Json& flows = status.at("half_open");
    const std::string losses = counts_text(status.at("half_open_losses"));
    if (flows.at("holding").get<bool>())
        return {Level::bad, "half-open",
                fmt::format("{} of {} in use send nothing: this host's own network is suspect",
                            number(flows, "dead_paths"),
                            counted(number(flows, "paths"), "destination")),
                "only connections that are proven dead are reset: look at links, routes, DNS and "
                "firewall"};
    return {losses.empty() ? Level::ok : Level::warn, "half-open",
            fmt::format("{} suspected now; since the start: {}",
                        counted(number(flows, "suspects"), "connection"), found_text(flows)),
            losses.empty() ? "" : "not all was seen or followed: " + losses};
}

/// "12 since the start (2 critical, 7 warning, 3 info)".
std::string told_text(const Json& findings) {
    const auto sum =
        number(findings, "critical") + number(findings, "warning") + number(findings, "info");
    if (sum == 0)
        return "none since the start";
    return fmt::format("{} since the start ({} critical, {} warning, {} info)", sum,
                       number(findings, "critical"), number(findings, "warning"),
                       number(findings, "info"));
}

Line findings_line(const Json& status) {
    const Json& findings = status.at("findings");
    const std::string losses = counts_text(status.at("finding_losses"));
    return {
        losses.empty() ? Level::ok : Level::warn, "findings",
        fmt::format("{}; {} kept (ballast events)", told_text(findings), number(findings, "kept")),
        losses.empty() ? "" : "not all was kept: " + losses};
}

Line keepalive_line(const Json& status) {
    const Json& keepalive = status.at("keepalive");
    const auto wanted = number(keepalive, "wanted");
    const std::string losses = counts_text(status.at("keepalive_losses"));
    return {losses.empty() ? Level::ok : Level::warn, "keepalive",
            fmt::format("{} kept alive by Ballast{}",
                        counted(number(keepalive, "kept_alive"), "connection"),
                        wanted == 0 ? "" : fmt::format(", {} more if it enforced that", wanted)),
            losses.empty() ? "" : "not all was done: " + losses};
}

Line drift_line(const Json& status) {
    const auto drift = number(status.at("sweep"), "drift");
    return {drift == 0 ? Level::ok : Level::bad, "drift",
            fmt::format("{} between reservations and sockets, {} repaired since the start", drift,
                        number(status.at("sweep"), "repairs"))};
}

/// "2 exhausted, 1 knee": of states that are worse than the others.
std::string port_trouble(const Json& states) {
    std::string text;
    for (const auto* state : {"exhausted", "knee", "filling", "poisoned"})
        if (const auto count = number(states, state); count != 0)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, state);
    return text;
}

Line ports_line(const Json& status) {
    const Json& ports = status.at("ports");
    const Json& states = ports.at("states");
    if (!ports.at("lacking").is_null())
        return {Level::warn, "ports", "local ports are not counted: " + string(ports, "lacking")};
    const std::string trouble = port_trouble(states);
    const bool is_bad = number(states, "exhausted") + number(states, "knee") != 0;
    const Json& in_force = ports.at("in_force");
    const std::uint64_t reliefs = std::accumulate(
        in_force.begin(), in_force.end(), std::uint64_t{0},
        [](std::uint64_t sum, const Json& one) { return sum + one.get<std::uint64_t>(); });
    const std::string relieved =
        reliefs == 0 ? "" : fmt::format("; {} in force", counted(reliefs, "relief"));
    const std::string gaps =
        number(ports, "full") == 0
            ? ""
            : fmt::format("; {} found no room in the tables", number(ports, "full"));
    return {is_bad                            ? Level::bad
            : trouble.empty() && gaps.empty() ? Level::ok
                                              : Level::warn,
            "ports",
            fmt::format("{} of source and destination, {}{}{}{}",
                        counted(number(ports, "tuples"), "pair"),
                        trouble.empty() ? "none short of local ports" : trouble,
                        trouble.empty() ? "" : " (ballast ports)", relieved, gaps)};
}

Line listeners_line(const Json& status) {
    const Json& listeners = status.at("listeners");
    const Json& states = listeners.at("states");
    if (!listeners.at("lacking").is_null())
        return {Level::warn, "listeners",
                "listeners are not watched: " + string(listeners, "lacking")};
    std::string trouble;
    bool is_bad = false;
    for (const auto& [state, text, is_worse] :
         {std::tuple("not_accepting", "that nobody accepts from", true),
          std::tuple("one_stuck", "stuck beside others of its port", true),
          std::tuple("overflow", "whose queue is full", true),
          std::tuple("flood", "flooded with SYNs", false)}) {
        const auto count = number(states, state);
        if (count == 0)
            continue;
        trouble += fmt::format(", {} {}", count, text);
        is_bad = is_bad || is_worse;
    }
    return {is_bad            ? Level::bad
            : trouble.empty() ? Level::ok
                              : Level::warn,
            "listeners",
            fmt::format("{}{}{}", counted(number(listeners, "listeners"), "listener"),
                        trouble.empty() ? ", none in trouble" : trouble,
                        trouble.empty() ? "" : " (ballast listeners)")};
}

/// Only where the policy guards listeners.
Line shed_line(const Json& status) {
    const Json& shed = status.at("shed");
    if (!shed.at("lacking").is_null())
        return {Level::bad, "shedding", "no SYN is looked at: " + string(shed, "lacking")};
    std::uint64_t refused = 0, withheld = 0;
    for (const Json& rule : shed.at("rules")) {
        for (const auto& [reason, count] : rule.at("shed").items())
            refused += count.get<std::uint64_t>();
        withheld += number(rule, "withheld");
    }
    std::string on, detached;
    for (const Json& device : shed.at("devices"))
        (device.at("attached").get<bool>() ? on : detached) += " " + string(device, "name");
    if (shed.at("rules").empty())
        return {};
    auto text = fmt::format("{} on{}: {} SYNs refused", counted(shed.at("rules").size(), "rule"),
                            on.empty() ? " no device" : on, refused - withheld);
    if (withheld != 0)
        text += fmt::format(", {} would have been", withheld);
    if (!detached.empty())
        text += fmt::format("; detached from{}", detached);
    return {!detached.empty() ? Level::bad
            : on.empty()      ? Level::warn
                              : Level::ok,
            "shedding", text};
}

Line held_line(const Json& sweep) {
    const auto space = number(sweep, "held_in");
    return {
        Level::bad, "sweep",
        fmt::format("held for {}{}: a program holds a socket's lock, as one does that waits for "
                    "a hung or frozen file system; half-open detection waits, limits and "
                    "breakers work on",
                    human_ms(sweep.at("held_ms")),
                    space == 0 ? "" : fmt::format(" in network namespace {}", space))};
}

Line sweep_line(const Json& status) {
    const Json& sweep = status.at("sweep");
    const auto failures = number(sweep, "failures");
    const double percent = sweep.at("cpu_percent").get<double>();
    if (number(sweep, "held_ms") != 0)
        return held_line(sweep);
    const auto missed = number(sweep, "namespaces_missed");
    if (missed != 0)
        return {
            Level::bad, "sweep",
            fmt::format("{} could not be looked at, and {} could: counts there stay as they are, "
                        "and the log says why",
                        counted(missed, "namespace"), number(sweep, "namespaces"))};
    const Level level = failures != 0 || percent > kMaxCpuPercent ? Level::warn : Level::ok;
    return {level, "sweep",
            fmt::format("every {}, {} each ({:.2f}% of one core); {} and {} in TIME_WAIT, {}; {} "
                        "failed",
                        human_ms(sweep.at("interval_ms")), human_us(sweep.at("last_cpu_us")),
                        percent, counted(number(sweep, "sockets"), "socket"),
                        number(sweep, "time_wait"),
                        counted(number(sweep, "namespaces"), "namespace"), failures)};
}

bool filling(const Json& capacity, const char* used, const char* places) {
    return number(capacity, used) * 100 >= number(capacity, places) * kFullPercent;
}

Line capacity_line(const Json& status) {
    const Json& capacity = status.at("capacity");
    const bool full = filling(capacity, "destinations", "destinations_max") ||
                      filling(capacity, "reservations", "reservations_max");
    return {full ? Level::warn : Level::ok, "capacity",
            fmt::format("{} of {} destinations, {} of {} reservations",
                        number(capacity, "destinations"), number(capacity, "destinations_max"),
                        number(capacity, "reservations"), number(capacity, "reservations_max"))};
}

Line scope_line(const Json& status) {
    return {Level::ok, "scope",
            fmt::format("cgroup {}, pins {}", string(status, "cgroup"), string(status, "bpffs"))};
}

Tone tone_of_level(const Json& value) {
    if (value == "ok")
        return Tone::good;
    return value == "warn" ? Tone::warn : Tone::bad;
}

std::string_view level_name(Level level) {
    constexpr std::array<std::string_view, 3> names{"ok", "warn", "BAD"};
    return names.at(static_cast<std::size_t>(level));
}

void add_line(Json& rows, std::string_view state, const std::string& what,
              const std::string& detail) {
    rows.push_back({{"state", state}, {"what", what}, {"detail", detail}});
}

} // namespace

Table status_view(const Json& document) {
    Json rows = Json::array();
    std::string attention;
    for (const auto& make :
         {daemon_line, guards_line, hooks_line, limits_line, policy_line, fail_open_line,
          breakers_line, half_open_line, keepalive_line, ports_line, listeners_line, shed_line,
          findings_line, drift_line, sweep_line, capacity_line, scope_line}) {
        const Line line = make(document);
        if (line.what.empty()) // there is nothing of it
            continue;
        add_line(rows, level_name(line.level), line.what, line.detail);
        if (!line.more.empty())
            add_line(rows, "", "", line.more);
        if (line.level != Level::ok)
            attention += fmt::format("{}{}", attention.empty() ? "" : ", ", line.what);
    }
    Table table(document, std::move(rows),
                {{.key = "state", .title = "STATE", .format = format_text, .tone = tone_of_level},
                 {.key = "what", .title = "WHAT", .format = format_text},
                 {.key = "detail", .title = "DETAIL", .format = format_text}});
    table.foot(attention.empty() ? "all well" : "look at: " + attention);
    return table;
}

} // namespace ballast::cli

// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/document.h"

#include <array>
#include <cmath>
#include <string_view>

#include <toml++/toml.h>

#include "daemon/config/precheck.h"
#include "daemon/config/service_entry.h"
#include "daemon/config/table_reader.h"
#include "daemon/guards/listeners/listener_entry.h"
#include "daemon/guards/ports/port_entry.h"
#include "daemon/util/quote.h"

namespace ballast {
namespace {

using namespace std::chrono_literals;

constexpr DurationRange kDaemonGrace{1s, 24h, true};
constexpr DurationRange kSweepInterval{1s, 1h};
constexpr DurationRange kDestinationTtl{10s, 7 * 24h};
constexpr DurationRange kResolveEvery{1s, 1h};
constexpr DurationRange kFaultWindow{1s, 10min};
constexpr DurationRange kReleaseAfter{100ms, 1h, true};

constexpr std::uint32_t kMaxPerMinute = 100'000;
constexpr double kMinFaultRatio = 0.05;

/// toml++ quotes what it stumbled over, up to a few hundred bytes.
constexpr std::size_t kMaxParserMessage = 300;

bool is_loopback(const Address& address) {
    static const Prefix v4 = *parse_prefix("127.0.0.0/8");
    static const Prefix v6 = *parse_prefix("::1");
    return v4.contains(address) || v6.contains(address);
}

/// An endpoint as Endpoint::text() has it; empty text is kept, it takes back an earlier file's.
std::optional<std::string> read_listen(const TableReader& reader, std::string_view key) {
    auto text = reader.string(key);
    if (!text || text->empty())
        return text;
    const auto endpoint = parse_endpoint(*text);
    if (endpoint && is_loopback(endpoint->address))
        return endpoint->text();
    reader.problem(key, fmt::format("{}; wanted 127.0.0.1:PORT, [::1]:PORT or \"\" for none",
                                    endpoint ? in_quotes(*text) + " is not a loopback endpoint"
                                             : endpoint.error().text()));
    return std::nullopt;
}

void read_daemon(const TableReader& reader, DaemonOptions& out) {
    reader.fill(out.daemon_grace, "daemon_grace", kDaemonGrace);
    reader.fill(out.sweep_interval, "sweep_interval", kSweepInterval);
    reader.fill(out.destination_ttl, "destination_ttl", kDestinationTtl);
    out.metrics_listen = read_listen(reader, "metrics_listen").value_or(out.metrics_listen);
    out.agent_listen = read_listen(reader, "agent_listen").value_or(out.agent_listen);
    reader.fill(out.resolve_every, "resolve_every", kResolveEvery);
    reader.refuse_the_rest();
}

void read_guards(const TableReader& reader, Policy& out) {
    for (std::size_t guard = 0; guard < kGuardNames.size(); ++guard)
        reader.fill(out.modes.at(guard), kGuardNames.at(guard), kModeNames);
    reader.refuse_the_rest();
}

void read_governor(const TableReader& reader, GovernorOptions& out) {
    reader.fill(out.actions_per_minute, "actions_per_minute", 1U, kMaxPerMinute);
    reader.fill(out.breaker_opens_per_minute, "breaker_opens_per_minute", 1U, kMaxPerMinute);
    reader.fill(out.resets_per_minute, "resets_per_minute", 1U, kMaxPerMinute);
    if (const auto ratio = reader.number("observer_fault_ratio", kMinFaultRatio, 1.0))
        out.observer_fault_percent = static_cast<std::uint8_t>(std::lround(100 * *ratio));
    reader.fill(out.observer_fault_window, "observer_fault_window", kFaultWindow);
    reader.fill(out.release_after, "release_after", kReleaseAfter);
    out.dry_run = reader.boolean("dry_run").value_or(out.dry_run);
    reader.refuse_the_rest();
}

/// Calls `read` with each table of an array of tables.
template <typename Read>
void read_tables(const TableReader& top, std::string_view key, const Read& read) {
    const auto* tables = top.array(key, fmt::format("an array of tables, written [[{}]]", key));
    if (tables == nullptr)
        return;
    for (const toml::node& node : *tables) {
        if (const auto* table = node.as_table())
            read(*table);
        else
            top.problem_at(node, key, described(node) + " is not a table");
    }
}

void read_top(const toml::table& top, const std::string& file, ProblemList& errors,
              ProblemList& warnings, PolicyDocument& out) {
    const TableReader reader(top, file, "", errors);
    if (const auto* table = reader.table("daemon"))
        read_daemon({*table, file, "daemon.", errors}, out.options.daemon);
    if (const auto* table = reader.table("guards"))
        read_guards({*table, file, "guards.", errors}, out.options);
    if (const auto* table = reader.table("ports"))
        read_ports({*table, file, "ports.", errors}, out.options.ports);
    if (const auto* table = reader.table("governor"))
        read_governor({*table, file, "governor.", errors}, out.options.governor);
    if (const auto* table = reader.table("listeners"))
        read_listeners({*table, file, "listeners.", errors}, out.options.listener_options);
    read_tables(reader, "service", [&](const toml::table& table) {
        out.services.push_back(read_service(table, file, errors, warnings));
    });
    read_tables(reader, "listener", [&](const toml::table& table) {
        out.listeners.push_back(read_listener({table, file, "listener.", errors}, warnings));
    });
    reader.refuse_the_rest();
}

} // namespace

void read_document(const PolicySource& source, PolicyDocument& all, ProblemList& errors,
                   ProblemList& warnings) {
    if (const auto objection = precheck(source.text)) {
        errors.add({source.file, objection->line, objection->column}, "", objection->message);
        return;
    }
    try {
        const toml::table top = toml::parse(source.text, std::string_view(source.file));
        read_top(top, source.file, errors, warnings, all);
    } catch (const toml::parse_error& error) {
        const auto& at = error.source().begin;
        errors.add({source.file, at.line, at.column}, "",
                   printable(error.description(), kMaxParserMessage));
    }
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/document.h"

#include <array>
#include <string_view>

#include <toml++/toml.h>

#include "daemon/config/precheck.h"
#include "daemon/config/service_entry.h"
#include "daemon/config/table_reader.h"
#include "daemon/util/quote.h"

namespace ballast {
namespace {

using namespace std::chrono_literals;

constexpr std::array<std::string_view, 3> kTopKeys{"daemon", "guards", "service"};
constexpr std::array<std::string_view, 4> kDaemonKeys{"daemon_grace", "sweep_interval",
                                                      "destination_ttl", "metrics_listen"};
constexpr std::array<std::string_view, 1> kGuardsKeys{"limit"};

constexpr DurationRange kDaemonGrace{1s, 24h, true};
constexpr DurationRange kSweepInterval{1s, 1h};
constexpr DurationRange kDestinationTtl{10s, 7 * 24h};

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
                                    endpoint ? quoted(*text) + " is not a loopback endpoint"
                                             : endpoint.error().text()));
    return std::nullopt;
}

void read_daemon(const TableReader& reader, PolicyDocument& out) {
    reader.refuse_unknown(kDaemonKeys);
    out.daemon_grace = reader.duration("daemon_grace", kDaemonGrace);
    out.sweep_interval = reader.duration("sweep_interval", kSweepInterval);
    out.destination_ttl = reader.duration("destination_ttl", kDestinationTtl);
    out.metrics_listen = read_listen(reader, "metrics_listen");
}

void read_guards(const TableReader& reader, PolicyDocument& out) {
    reader.refuse_unknown(kGuardsKeys);
    out.limit_mode = reader.choice<Mode>("limit", kModeNames);
}

void read_top(const toml::table& top, const std::string& file, ProblemList& errors,
              ProblemList& warnings, PolicyDocument& out) {
    const TableReader reader(top, file, "", errors);
    reader.refuse_unknown(kTopKeys);
    if (const auto* table = reader.table("daemon"))
        read_daemon({*table, file, "daemon.", errors}, out);
    if (const auto* table = reader.table("guards"))
        read_guards({*table, file, "guards.", errors}, out);
    const auto* services = reader.array("service", "an array of tables, written [[service]]");
    if (services == nullptr)
        return;
    for (const toml::node& node : *services) {
        if (const auto* table = node.as_table())
            out.services.push_back(read_service({*table, file, "service.", errors}, warnings));
        else
            reader.problem_at(node, "service", described(node) + " is not a table");
    }
}

} // namespace

PolicyDocument read_document(const PolicySource& source, ProblemList& errors,
                             ProblemList& warnings) {
    PolicyDocument out;
    if (const auto objection = precheck(source.text)) {
        errors.add({source.file, objection->line, objection->column}, "", objection->message);
        return out;
    }
    try {
        const toml::table top = toml::parse(source.text, std::string_view(source.file));
        read_top(top, source.file, errors, warnings, out);
    } catch (const toml::parse_error& error) {
        const auto& at = error.source().begin;
        errors.add({source.file, at.line, at.column}, "",
                   printable(error.description(), kMaxParserMessage));
    }
    return out;
}

} // namespace ballast

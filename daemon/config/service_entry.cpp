// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/service_entry.h"

#include <algorithm>

#include "daemon/config/entry_parts.h"
#include "daemon/config/service_lists.h"
#include "daemon/guards/breaker/breaker_entry.h"
#include "daemon/guards/half_open/half_open_entry.h"
#include "daemon/guards/keepalive/keepalive_entry.h"
#include "daemon/guards/ports/port_entry.h"

namespace ballast {
namespace {

using namespace std::chrono_literals;

constexpr DurationRange kConnectTimeout{1s, 5min};

std::optional<std::uint32_t> read_limit(const TableReader& reader, std::string_view key,
                                        std::uint32_t max) {
    const auto value = reader.integer(key, 1, max);
    return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
}

void read_limits(const TableReader& reader, Service& out) {
    out.max_connections = read_limit(reader, "max_connections", kMaxConnections);
    out.max_connections_total = read_limit(reader, "max_connections_total", kMaxConnections);
    out.max_per_consumer = read_limit(reader, "max_per_consumer", kMaxConnections);
    if (out.max_connections_total && out.max_connections &&
        *out.max_connections_total < *out.max_connections)
        reader.problem("max_connections_total",
                       fmt::format("{} is below max_connections, {}", *out.max_connections_total,
                                   *out.max_connections));
}

void read_rate(const TableReader& reader, Service& out) {
    out.max_connect_rate = read_limit(reader, "max_connect_rate", kMaxConnectRate);
    reader.fill(out.burst, "burst", 1U, kMaxConnectRate);
    if (reader.has("burst") && !reader.has("max_connect_rate"))
        reader.problem("burst", "needs max_connect_rate");
}

bool has_limit(const TableReader& reader) {
    constexpr std::array<std::string_view, 4> limits{"max_connections", "max_connections_total",
                                                     "max_per_consumer", "max_connect_rate"};
    return std::ranges::any_of(limits, [&](auto key) { return reader.has(key); });
}

/// Warns of settings that are valid but surely not meant.
void warn_pointless(const TableReader& reader, const ServiceEntry& entry, ProblemList& warnings) {
    const Service& row = entry.row;
    const auto warn = [&](std::string_view key, std::string message) {
        warnings.add(reader.place(key), reader.full_key(key), std::move(message));
    };
    if (entry.mode == Mode::enforce && !has_limit(reader) && !reader.has("connect_timeout"))
        warn("mode", "enforces nothing: the service has no limit");
    if (reader.has("on_limit") && !has_limit(reader) && !reader.has("breaker"))
        warn("on_limit", "has no effect: the service has no limit");
    const auto share = row.max_per_consumer.value_or(0);
    if (row.max_connections && share > *row.max_connections)
        warn("max_per_consumer",
             fmt::format("{} is above max_connections, {}", share, *row.max_connections));
    else if (row.max_connections_total && share > *row.max_connections_total)
        warn("max_per_consumer", fmt::format("{} is above max_connections_total, {}", share,
                                             *row.max_connections_total));
}

} // namespace

ServiceEntry read_service(const toml::table& table, const std::string& file, ProblemList& errors,
                          ProblemList& warnings) {
    const TableReader reader(table, file, "service.", errors);
    ServiceEntry entry;
    entry.place = reader.place();
    entry.name_place = reader.place("name");
    entry.row.name = read_name(reader, "service");
    read_targets(reader, entry);
    read_from(reader, entry, warnings);
    read_limits(reader, entry.row);
    read_rate(reader, entry.row);
    reader.fill(entry.row.connect_timeout, "connect_timeout", kConnectTimeout);
    reader.fill(entry.row.on_limit, "on_limit", kOnLimitNames);
    entry.mode = reader.choice<Mode>("mode", kModeNames);
    if (const auto* breaker = reader.table("breaker"))
        read_breaker({*breaker, file, "service.breaker.", errors}, entry, warnings);
    if (const auto* half_open = reader.table("half_open"))
        read_half_open({*half_open, file, "service.half_open.", errors}, entry, warnings);
    if (const auto* ports = reader.table("ports"))
        read_ports({*ports, file, "service.ports.", errors}, entry, warnings);
    read_keepalive(reader, reader.find("keepalive"), {file, errors, warnings}, entry);
    warn_pointless(reader, entry, warnings);
    reader.refuse_the_rest();
    return entry;
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/service_row.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace ballast::kernel {

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

std::optional<std::uint32_t> limit_of(std::uint32_t value) {
    return value == BALLAST_UNLIMITED ? std::nullopt : std::optional(value);
}

ballast_breaker_limits to_row(const Breaker& breaker) {
    const auto ms = [](std::chrono::milliseconds time) {
        return static_cast<std::uint32_t>(time.count());
    };
    ballast_breaker_limits row{.window_ms = ms(breaker.window),
                               .slow_connect_ms = ms(breaker.slow_connect),
                               .reset_within_ms = ms(breaker.reset_within),
                               .open_for_ms = ms(breaker.open_for),
                               .open_max_ms = ms(breaker.open_max),
                               .ramp_ms = ms(breaker.ramp),
                               .thresholds = {},
                               .probes = breaker.probes,
                               .ramp_start = breaker.ramp_start,
                               .mode = static_cast<std::uint8_t>(breaker.mode),
                               .failure_percent = breaker.failure_percent,
                               .reserved = {}};
    std::ranges::copy(breaker.thresholds, row.thresholds);
    return row;
}

ballast_keepalive_rule to_row(const KeepaliveRule& rule) {
    const auto idle = rule.kind == KeepaliveKind::fixed ? rule.idle : rule.start;
    return {.idle_ms = static_cast<std::uint32_t>(std::chrono::milliseconds(idle).count()),
            .interval_s = static_cast<std::uint16_t>(rule.interval.count()),
            .count = rule.count,
            .kind = static_cast<std::uint8_t>(rule.kind),
            .mode = static_cast<std::uint8_t>(rule.mode),
            .learn_ipv4 = rule.learn_prefix.ipv4,
            .learn_ipv6 = rule.learn_prefix.ipv6,
            .reserved = 0,
            .longest_s = static_cast<std::uint16_t>(rule.max.count()),
            .reserved_too = {}};
}

} // namespace

ballast_service to_row(const Service& service, std::uint16_t id) {
    const bool is_off = service.mode == Mode::off;
    const auto limit = [&](const std::optional<std::uint32_t>& wanted) {
        return is_off ? BALLAST_UNLIMITED : wanted.value_or(BALLAST_UNLIMITED);
    };
    ballast_service row{};
    row.service = id;
    row.mode = static_cast<std::uint8_t>(service.mode);
    row.on_limit = static_cast<std::uint8_t>(service.on_limit);
    row.max_connections = limit(service.max_connections);
    row.max_total = limit(service.max_connections_total);
    row.max_per_consumer = limit(service.max_per_consumer);
    if (service.max_connect_rate && !is_off) {
        const std::uint64_t burst = service.burst ? service.burst : *service.max_connect_rate;
        row.rate_interval_ns = second_ns / *service.max_connect_rate;
        row.rate_burst_ns = burst * row.rate_interval_ns;
    }
    row.connect_timeout_ms = static_cast<std::uint32_t>(service.connect_timeout.count());
    row.breaker = to_row(service.breaker);
    row.keepalive = to_row(service.keepalive);
    return row;
}

namespace {

Breaker from_row(const ballast_breaker_limits& row) {
    using std::chrono::milliseconds;
    Breaker breaker;
    breaker.mode = static_cast<Mode>(row.mode);
    breaker.window = milliseconds(row.window_ms);
    std::ranges::copy(row.thresholds, breaker.thresholds.begin());
    breaker.slow_connect = milliseconds(row.slow_connect_ms);
    breaker.reset_within = milliseconds(row.reset_within_ms);
    breaker.open_for = milliseconds(row.open_for_ms);
    breaker.open_max = milliseconds(row.open_max_ms);
    breaker.probes = row.probes;
    breaker.ramp = milliseconds(row.ramp_ms);
    breaker.ramp_start = row.ramp_start;
    breaker.failure_percent = row.failure_percent;
    return breaker;
}

/// Fields that the kind does not use keep their defaults.
KeepaliveRule from_row(const ballast_keepalive_rule& row) {
    KeepaliveRule rule;
    rule.mode = static_cast<Mode>(row.mode);
    rule.kind = static_cast<KeepaliveKind>(row.kind);
    const auto idle = std::chrono::seconds(row.idle_ms / 1000);
    (rule.kind == KeepaliveKind::fixed ? rule.idle : rule.start) = idle;
    rule.interval = std::chrono::seconds(row.interval_s);
    rule.count = row.count;
    rule.max = std::chrono::seconds(row.longest_s);
    rule.learn_prefix = {row.learn_ipv4, row.learn_ipv6};
    return rule;
}

} // namespace

Service from_row(const ballast_service& row) {
    Service service;
    service.mode = static_cast<Mode>(row.mode);
    service.on_limit = static_cast<OnLimit>(row.on_limit);
    service.max_connections = limit_of(row.max_connections);
    service.max_connections_total = limit_of(row.max_total);
    service.max_per_consumer = limit_of(row.max_per_consumer);
    if (row.rate_interval_ns != 0) {
        service.max_connect_rate = static_cast<std::uint32_t>(second_ns / row.rate_interval_ns);
        service.burst = static_cast<std::uint32_t>(row.rate_burst_ns / row.rate_interval_ns);
    }
    service.connect_timeout = std::chrono::milliseconds(row.connect_timeout_ms);
    service.breaker = from_row(row.breaker);
    service.keepalive = from_row(row.keepalive);
    return service;
}

} // namespace ballast::kernel

// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/breaker_body.h"

#include <algorithm>
#include <string>

#include "daemon/api/body.h"
#include "daemon/model/state_names.h"

namespace ballast::api {

namespace {

constexpr std::string_view kBreakerForm =
    R"(wanted: {"force": "open|closed", "reason": "...", "lasts_ms": N}, the last two if need be)";

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

Result<void> set_force(BreakerOrder& order, const Json& value) {
    const auto force =
        value.is_string() ? force_named(value.get_ref<const std::string&>()) : std::nullopt;
    if (!force)
        return fail(bad_value("force", value, "one of open, closed"));
    order.force = *force;
    return {};
}

Result<void> set_reason(BreakerOrder& order, const Json& value) {
    if (value.is_string())
        order.reason = value.get<std::string>();
    if (!value.is_string() || order.reason.size() > kMaxReasonBytes ||
        std::ranges::any_of(order.reason, is_control))
        return fail(bad_value("reason", value,
                              fmt::format("a line of text of at most {} bytes", kMaxReasonBytes)));
    return {};
}

Result<void> set_order_lasts(BreakerOrder& order, const Json& value) {
    if (!value.is_number_unsigned() || value < 1 || value > kMaxOrder.count())
        return fail(bad_value("lasts_ms", value,
                              fmt::format("a whole number from 1 to {}", kMaxOrder.count())));
    order.lasts = std::chrono::milliseconds(value.get<std::int64_t>());
    return {};
}

Result<void> set_order_member(BreakerOrder& order, const std::string& key, const Json& value) {
    if (key == "force")
        return set_force(order, value);
    if (key == "reason")
        return set_reason(order, value);
    if (key == "lasts_ms")
        return set_order_lasts(order, value);
    return fail(unknown_key(key, kBreakerForm));
}

} // namespace

Result<BreakerOrder> parse_breaker_body(std::string_view body) {
    const auto json = parse_object(body, kBreakerForm);
    if (!json)
        return fail(json.error());
    BreakerOrder order;
    for (const auto& [key, value] : json->items())
        if (auto set = set_order_member(order, key, value); !set)
            return fail(set.error());
    if (order.force == BreakerForce::none)
        return fail(Error("force is missing").hint(std::string(kBreakerForm)));
    return order;
}

} // namespace ballast::api

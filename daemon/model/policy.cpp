// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/policy.h"

#include "bpf/abi.h"
#include "daemon/util/quote.h"

namespace ballast {

static_assert(kMaxServices == BALLAST_MAX_SERVICES - 1);
static_assert(kMaxTargets == BALLAST_MAX_PREFIXES);
static_assert(kMaxPortSpans == BALLAST_MAX_PORT_SPANS);
static_assert(kMaxPortSpans > 2 * kMaxPortRanges);
static_assert(kMaxServiceName == BALLAST_SERVICE_NAME_LENGTH - 1);
static_assert(kMaxConnections < BALLAST_UNLIMITED);
static_assert(static_cast<int>(Mode::off) == BALLAST_MODE_OFF);
static_assert(static_cast<int>(Mode::observe) == BALLAST_MODE_OBSERVE);
static_assert(static_cast<int>(Mode::enforce) == BALLAST_MODE_ENFORCE);
static_assert(static_cast<int>(OnLimit::refused) == BALLAST_ON_LIMIT_REFUSED);
static_assert(static_cast<int>(OnLimit::again) == BALLAST_ON_LIMIT_AGAIN);
static_assert(static_cast<int>(OnLimit::unreachable) == BALLAST_ON_LIMIT_UNREACHABLE);

namespace {

/// The two halves of a target's text, brackets removed; `ports` is empty where there are none.
struct Split {
    std::string prefix;
    std::string_view ports;
    bool has_ports = false;
};

/// "[v6]", "[v6]/48", "[v6]:443", "[v6]/48:443".
std::optional<Split> split_brackets(std::string_view text) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos)
        return std::nullopt;
    const std::string_view rest = text.substr(close + 1);
    const std::size_t colon = rest.find(':');
    const std::string_view length = rest.substr(0, colon);
    if (!length.empty() && length.front() != '/')
        return std::nullopt;
    const std::string_view address = text.substr(1, close - 1);
    if (address.find(':') == std::string_view::npos || address.find('/') != std::string_view::npos)
        return std::nullopt;
    Split split{fmt::format("{}{}", address, length), {}, false};
    if (colon != std::string_view::npos)
        split = {std::move(split.prefix), rest.substr(colon + 1), true};
    return split;
}

std::optional<Split> split_target(std::string_view text) {
    if (text.starts_with('['))
        return split_brackets(text);
    const std::size_t colon = text.find(':');
    const bool v6 = colon != text.rfind(':');
    if (colon == std::string_view::npos || v6)
        return Split{std::string(text), {}, false};
    return Split{std::string(text.substr(0, colon)), text.substr(colon + 1), true};
}

/// Sets the ports of `target` from "PORT" or "FIRST-LAST".
Result<Target> with_ports(Target target, std::string_view text) {
    const std::size_t dash = text.find('-');
    const auto first = parse_port(text.substr(0, dash));
    if (!first)
        return fail(first.error());
    const auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
    if (!last)
        return fail(last.error());
    if (*first > *last)
        return fail(Error(fmt::format("port range {} ends before it begins", quoted(text))));
    target.port_first = *first;
    target.port_last = *last;
    return target;
}

} // namespace

std::string Target::text() const {
    if (any_port())
        return prefix.text();
    const std::string ports = port_first == port_last ? fmt::format("{}", port_first)
                                                      : fmt::format("{}-{}", port_first, port_last);
    const std::string where = prefix.text();
    const std::size_t slash = where.find('/');
    if (where.find(':') == std::string::npos)
        return fmt::format("{}:{}", where, ports);
    const std::string length = slash == std::string::npos ? "" : where.substr(slash);
    return fmt::format("[{}]{}:{}", where.substr(0, slash), length, ports);
}

Result<Target> parse_target(std::string_view text) {
    const auto split = split_target(text);
    if (!split)
        return fail(Error(fmt::format(
            "{} is not ADDRESS[/LENGTH][:PORT[-PORT]]; wanted \"10.0.0.5:5432\", \"10.1.0.0/16\" "
            "or \"[2001:db8::]/48:443\"",
            quoted(text))));
    const auto prefix = parse_prefix(split->prefix);
    if (!prefix)
        return fail(prefix.error());
    const Target target{*prefix};
    return split->has_ports ? with_ports(target, split->ports) : Result<Target>(target);
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/policy.h"

#include <algorithm>

#include "daemon/util/quote.h"

namespace ballast {

static_assert(kMaxPortSpans > 2 * kMaxPortRanges);

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

struct Ports {
    std::uint16_t first;
    std::uint16_t last;
};

/// "PORT" or "FIRST-LAST".
Result<Ports> parse_ports(std::string_view text) {
    const std::size_t dash = text.find('-');
    const auto first = parse_port(text.substr(0, dash));
    if (!first)
        return fail(first.error());
    const auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
    if (!last)
        return fail(last.error());
    if (*first > *last)
        return fail(Error(fmt::format("port range {} ends before it begins", in_quotes(text))));
    return Ports{*first, *last};
}

std::string ports_text(std::uint16_t first, std::uint16_t last) {
    return first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
}

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kLabelCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-";
constexpr std::size_t kMaxLabel = 63;
constexpr std::size_t kMaxHost = 253;

bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= kMaxLabel && !label.starts_with('-') &&
           !label.ends_with('-') &&
           label.find_first_not_of(kLabelCharacters) == std::string_view::npos;
}

/// `host` in lower case.
bool is_host(std::string_view host) {
    if (host.size() > kMaxHost)
        return false;
    const std::string_view last_label = host.substr(host.rfind('.') + 1); // npos + 1 is 0
    for (std::size_t dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.')) {
        if (!is_label(host.substr(0, dot)))
            return false;
        host.remove_prefix(dot + 1);
    }
    return is_label(host) && last_label.find_first_of(kLetters) != std::string_view::npos;
}

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

} // namespace

std::string Target::text() const {
    if (any_port())
        return prefix.text();
    const std::string ports = ports_text(port_first, port_last);
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
            in_quotes(text))));
    const auto prefix = parse_prefix(split->prefix);
    if (!prefix)
        return fail(prefix.error());
    if (!split->has_ports)
        return Target{*prefix};
    const auto ports = parse_ports(split->ports);
    if (!ports)
        return fail(ports.error());
    return Target{*prefix, ports->first, ports->last};
}

std::string NamedTarget::text() const {
    const bool any_port = port_first == 0 && port_last == 65535;
    return any_port ? host : fmt::format("{}:{}", host, ports_text(port_first, port_last));
}

bool is_named_target(std::string_view text) {
    const std::size_t colon = text.find(':');
    return colon == text.rfind(':') && text.find_first_of("[/") == std::string_view::npos &&
           text.substr(0, colon).find_first_of(kLetters) != std::string_view::npos;
}

Result<NamedTarget> parse_named_target(std::string_view text) {
    const std::size_t colon = text.find(':');
    NamedTarget target{lower_case(text.substr(0, colon))};
    if (target.host.ends_with('.'))
        target.host.pop_back();
    if (!is_host(target.host))
        return fail(
            Error(fmt::format("{} is neither an address nor a DNS name; a name is of "
                              "letters, digits and \"-\", its last part not of digits alone",
                              in_quotes(text.substr(0, colon)))));
    if (colon == std::string_view::npos)
        return target;
    const auto ports = parse_ports(text.substr(colon + 1));
    if (!ports)
        return fail(ports.error());
    target.port_first = ports->first;
    target.port_last = ports->last;
    return target;
}

namespace {

Mode off_or_on(Mode mode) {
    return mode == Mode::off ? Mode::off : Mode::observe;
}

/// What of a service decides where a socket counts. A row of which limits, breaker and keepalive
/// are off governs nothing (bpf/match.h, ballast_service_at()).
Service counting_part(const Service& service) {
    Service part;
    part.name = service.name;
    part.to = service.to;
    part.resolved = service.resolved;
    part.from = service.from;
    part.mode = off_or_on(service.mode);
    part.breaker.mode = off_or_on(service.breaker.mode);
    part.keepalive.mode = off_or_on(service.keepalive.mode);
    if (service.max_connections_total)
        part.max_connections_total = 1;
    if (service.max_per_consumer)
        part.max_per_consumer = 1;
    return part;
}

} // namespace

bool counts_alike(const Policy& a, const Policy& b) {
    return std::ranges::equal(a.services, b.services, {}, counting_part, counting_part);
}

Mode mode_of(GuardKind guard, const Service& service) {
    switch (guard) {
    case GuardKind::limit:
        return service.mode;
    case GuardKind::breaker:
        return service.breaker.mode;
    case GuardKind::half_open:
        return service.half_open.mode;
    case GuardKind::keepalive:
        return service.keepalive.mode;
    case GuardKind::ports:
        return service.ports.mode;
    }
    return Mode::off;
}

Policy datapath_policy(Policy policy) {
    if (!policy.governor.dry_run)
        return policy;
    for (auto& service : policy.services) {
        if (service.keepalive.mode == Mode::enforce)
            service.keepalive.mode = Mode::observe;
        service.connect_timeout = {};
    }
    return policy;
}

} // namespace ballast

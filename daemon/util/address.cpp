// SPDX-License-Identifier: Apache-2.0
#include "daemon/util/address.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "daemon/util/quote.h"

namespace ballast {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedHead{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::uint8_t kMappedBits = 96;
constexpr std::uint8_t kAllBits = 128;

/// Decimal without sign, blanks or leading zeros, at most `max`.
std::optional<unsigned> parse_decimal(std::string_view text, unsigned max) {
    if (text.empty() || (text.size() > 1 && text.front() == '0'))
        return std::nullopt;
    unsigned value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || value > max)
        return std::nullopt;
    return value;
}

/// `address` with the bits from `length` on cleared.
Address masked(const Address& address, unsigned length) {
    Address out;
    for (unsigned i = 0; i < out.bytes.size(); ++i) {
        const unsigned kept = std::clamp(length, 8 * i, 8 * i + 8) - 8 * i;
        out.bytes[i] = static_cast<std::uint8_t>(address.bytes[i] & (0xff00U >> kept));
    }
    return out;
}

bool is_v6_text(std::string_view text) {
    return text.find(':') != std::string_view::npos;
}

Error not_a_port(std::string_view text) {
    return Error(fmt::format("{} is not a port; wanted 1..65535", in_quotes(text)));
}

} // namespace

bool Address::is_v4() const {
    return std::equal(kMappedHead.begin(), kMappedHead.end(), bytes.begin());
}

std::string Address::text() const {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    const bool v4 = is_v4();
    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &bytes[kMappedHead.size()] : bytes.data(),
              buffer.data(), static_cast<socklen_t>(buffer.size()));
    return buffer.data();
}

std::string Prefix::text() const {
    if (length == kAllBits)
        return address.text();
    const bool v4 = address.is_v4() && length >= kMappedBits;
    return fmt::format("{}/{}", address.text(), v4 ? length - kMappedBits : length);
}

bool Prefix::contains(const Address& other) const {
    return masked(other, length) == masked(address, length);
}

Prefix prefix_of(const Address& address, std::uint8_t length) {
    return {masked(address, length), length};
}

std::string Endpoint::text() const {
    return address.is_v4() ? fmt::format("{}:{}", address.text(), port)
                           : fmt::format("[{}]:{}", address.text(), port);
}

Result<Address> parse_address(std::string_view text) {
    // inet_pton() reads up to a NUL; text that holds one must not pass for what precedes it.
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    Address out;
    if (text.size() < buffer.size() && text.find('\0') == std::string_view::npos) {
        std::copy(text.begin(), text.end(), buffer.begin());
        if (inet_pton(AF_INET6, buffer.data(), out.bytes.data()) == 1)
            return out;
        std::copy(kMappedHead.begin(), kMappedHead.end(), out.bytes.begin());
        if (inet_pton(AF_INET, buffer.data(), &out.bytes[kMappedHead.size()]) == 1)
            return out;
    }
    return fail(Error(fmt::format("{} is not an IPv4 or IPv6 address", in_quotes(text))));
}

Result<Prefix> parse_prefix(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    if (!address)
        return fail(address.error());
    if (slash == std::string_view::npos)
        return Prefix{*address, kAllBits};
    const bool v4 = !is_v6_text(text);
    const unsigned max = v4 ? kAllBits - kMappedBits : kAllBits;
    const auto bits = parse_decimal(text.substr(slash + 1), max);
    if (!bits)
        return fail(Error(fmt::format("{} has no prefix length in 0..{}", in_quotes(text), max)));
    const auto length = static_cast<std::uint8_t>(v4 ? *bits + kMappedBits : *bits);
    const Prefix prefix = prefix_of(*address, length);
    if (prefix.address != *address)
        return fail(Error(fmt::format("{} has host bits set; wanted {} or {}", in_quotes(text),
                                      prefix.text(), address->text())));
    return prefix;
}

Result<std::uint16_t> parse_port(std::string_view text) {
    const auto port = parse_decimal(text, 65535);
    if (!port || *port == 0)
        return fail(not_a_port(text));
    return static_cast<std::uint16_t>(*port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    std::string_view host = text.substr(0, colon);
    const bool brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (brackets)
        host = host.substr(1, host.size() - 2);
    if (colon == std::string_view::npos || brackets != is_v6_text(host))
        return fail(
            Error(fmt::format("{} is not ADDRESS:PORT or [ADDRESS]:PORT", in_quotes(text))));
    const auto address = parse_address(host);
    if (!address)
        return fail(address.error());
    const auto port = parse_port(text.substr(colon + 1));
    if (!port)
        return fail(port.error());
    return Endpoint{*address, *port};
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/path_key.h"

#include "daemon/util/quote.h"

namespace ballast {

std::string PathKey::text() const {
    return Target{prefix, port, port}.text();
}

Result<PathKey> parse_path_key(std::string_view text) {
    const auto target = parse_target(text);
    if (!target)
        return fail(target.error());
    if (target->port_first != target->port_last)
        return fail(Error(fmt::format("{} is not the path to one port", in_quotes(text))));
    return PathKey(target->prefix, target->port_first);
}

PathPlace::PathPlace(const Endpoint& destination, const LearnPrefixes& lengths) : own(destination) {
    constexpr std::uint8_t mapped = LearnPrefixes::most_ipv6 - LearnPrefixes::most_ipv4;
    const bool is_v4 = destination.address.is_v4();
    const int length = is_v4 ? mapped + lengths.ipv4 : lengths.ipv6;
    if (length < LearnPrefixes::most_ipv6)
        shared = PathKey(prefix_of(destination.address, static_cast<std::uint8_t>(length)),
                         destination.port);
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/listener_rule.h"

#include <fmt/format.h>

#include "daemon/util/quote.h"

namespace ballast {

std::string GuardedAddress::text() const {
    return address ? Endpoint{*address, port}.text() : fmt::format("*:{}", port);
}

Result<GuardedAddress> parse_guarded(std::string_view text) {
    if (text.starts_with("*:")) {
        const auto port = parse_port(text.substr(2));
        if (!port)
            return fail(port.error());
        return GuardedAddress{std::nullopt, *port};
    }
    const auto endpoint = parse_endpoint(text);
    if (!endpoint)
        return fail(endpoint.error());
    if (endpoint->address == Address{} || endpoint->address == *parse_address("0.0.0.0"))
        return fail(Error(fmt::format("{} is the address of no packet; any is written *:{}",
                                      in_quotes(std::string(text)), endpoint->port)));
    return GuardedAddress{endpoint->address, endpoint->port};
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <map>

#include <nlohmann/json.hpp>

#include "tests/bench/commands.h"
#include "tests/bench/sockets.h"
#include "tests/bench/statistics.h"

namespace ballast::bench {

Result<void> connects(const ConnectsOptions& options) {
    const SocketAddress to(options.to);
    Durations made, failed;
    std::map<std::string, std::uint32_t> errors;
    for (std::uint32_t i = 0; i < options.count; ++i) {
        const auto socket = tcp_socket(to.family());
        if (!socket)
            return fail(socket.error());
        if (auto reset = reset_on_close(*socket); !reset)
            return reset;
        const auto begin = Clock::now();
        const int error = connect_errno(*socket, to);
        (error == 0 ? made : failed).add(Clock::now() - begin);
        if (error != 0)
            ++errors[::strerrorname_np(error)];
    }
    const auto json = [](const Durations& durations) {
        return nlohmann::json{{"median_us", durations.quantile_us(0.5)},
                              {"p99_us", durations.quantile_us(0.99)}};
    };
    fmt::print(
        "{}\n",
        nlohmann::json{{"made", json(made)}, {"failed", json(failed)}, {"errors", errors}}.dump());
    return {};
}

} // namespace ballast::bench

// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <deque>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/bench/commands.h"
#include "tests/bench/sockets.h"
#include "tests/bench/statistics.h"

namespace ballast::bench {
namespace {

constexpr std::chrono::seconds kPatience{2};

struct Attempt {
    Fd socket;
    int error = 0;
};

Result<Attempt> attempt(const SocketAddress& to) {
    auto socket = tcp_socket(to.family());
    if (!socket)
        return fail(socket.error());
    const int error = connect_errno(*socket, to);
    return Attempt{error == 0 ? std::move(*socket) : Fd(), error};
}

/// Opens connections into `open` until one is refused; returns why.
Result<int> fill(const SocketAddress& to, std::uint32_t most, std::deque<Fd>& open) {
    while (open.size() < most) {
        auto made = attempt(to);
        if (!made)
            return fail(made.error());
        if (made->error != 0)
            return made->error;
        open.push_back(std::move(made->socket));
    }
    return fail(Error(fmt::format("{} connections were opened and none was refused", most)));
}

/// A place is given back when the peer has closed too: not yet when close() returns.
Result<Fd> open_within_patience(const SocketAddress& to) {
    const auto end = Clock::now() + kPatience;
    while (Clock::now() < end) {
        auto made = attempt(to);
        if (!made)
            return fail(made.error());
        if (made->error == 0)
            return std::move(made->socket);
        std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    return fail(Error(fmt::format("closed a connection and was admitted none for {} s after it",
                                  kPatience.count())));
}

} // namespace

Result<void> slots(const SlotsOptions& options) {
    const SocketAddress to(options.to);
    std::deque<Fd> open;
    const auto refusal = fill(to, options.most, open);
    if (!refusal)
        return fail(refusal.error());
    const auto limit = open.size();
    Durations waits;
    for (std::uint32_t i = 0; i < options.rounds; ++i) {
        const auto begin = Clock::now();
        open.pop_front();
        auto opened = open_within_patience(to);
        if (!opened)
            return fail(opened.error());
        waits.add(Clock::now() - begin);
        open.push_back(std::move(*opened));
        const auto again = attempt(to);
        if (!again)
            return fail(again.error());
        if (again->error == 0)
            return fail(Error("closed one connection and was admitted two"));
    }
    const nlohmann::json out{{"opened", limit},
                             {"then", ::strerrorname_np(*refusal)},
                             {"rounds", options.rounds},
                             {"readmitted_median_us", waits.quantile_us(0.5)}};
    fmt::print("{}\n", out.dump());
    return {};
}

} // namespace ballast::bench

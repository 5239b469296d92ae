// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>
#include <thread>
#include <unistd.h>

#include "tests/bench/commands.h"
#include "tests/bench/sockets.h"
#include "tests/bench/statistics.h"

namespace ballast::bench {
namespace {

// The rate is that of the median slice, so that a slice in which something else had the processor
// does not count. Longer than two timer ticks, for costs that come with the tick.
constexpr std::chrono::milliseconds kSlice{10};

class Rate {
public:
    explicit Rate(const RateOptions& options) : options_(options), to_(options.to) {}

    Result<void> run() {
        const auto begin = Clock::now();
        slice_begin_ = begin;
        for (auto now = begin; done_ < options_.count && now - begin < options_.at_most;) {
            auto connected = connect_once();
            if (!connected)
                return connected;
            ++done_;
            now = Clock::now();
            end_slice_if_over(now);
            if (options_.pause.count() > 0)
                std::this_thread::sleep_for(options_.pause);
        }
        return {};
    }

    [[nodiscard]] nlohmann::json json() const {
        const double median_us = per_connection_.quantile_us(0.5);
        return {{"connections", done_},
                {"per_second", median_us > 0 ? 1e6 / median_us : 0},
                {"median_us", connects_.quantile_us(0.5)}};
    }

private:
    /// From socket() to close(); connect() is timed.
    Result<void> connect_once() {
        auto socket = tcp_socket(to_.family());
        if (!socket)
            return fail(socket.error());
        auto reset = options_.whole ? Result<void>() : reset_on_close(*socket);
        if (!reset)
            return reset;
        const auto begin = Clock::now();
        const int error = connect_errno(*socket, to_);
        connects_.add(Clock::now() - begin);
        if (error != 0)
            return fail(Error::system(fmt::format("connect() to {}", options_.to.text()), error));
        return options_.whole ? ask(*socket) : Result<void>();
    }

    /// A request, and its answer up to the end that the server makes.
    [[nodiscard]] Result<void> ask(const Fd& socket) const {
        char byte = '?';
        if (::send(socket.get(), &byte, 1, MSG_NOSIGNAL) != 1)
            return fail(Error::system(fmt::format("send to {}", options_.to.text()), errno));
        ssize_t got = 0;
        do
            got = ::read(socket.get(), &byte, 1);
        while (got > 0);
        if (got < 0)
            return fail(Error::system(fmt::format("read from {}", options_.to.text()), errno));
        return {};
    }

    void end_slice_if_over(Clock::time_point now) {
        if (now - slice_begin_ < kSlice)
            return;
        per_connection_.add((now - slice_begin_) / (done_ - slice_first_));
        slice_begin_ = now;
        slice_first_ = done_;
    }

    RateOptions options_;
    SocketAddress to_;
    std::uint32_t done_ = 0;
    Durations connects_;
    Durations per_connection_; ///< one for each slice: its length over its connections
    Clock::time_point slice_begin_;
    std::uint32_t slice_first_ = 0; ///< done_ when the slice began
};

} // namespace

Result<void> rate(const RateOptions& options) {
    Rate measurement(options);
    auto ran = measurement.run();
    if (!ran)
        return ran;
    fmt::print("{}\n", measurement.json().dump());
    return {};
}

} // namespace ballast::bench

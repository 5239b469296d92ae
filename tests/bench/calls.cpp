// SPDX-License-Identifier: Apache-2.0
// Callers with a time-out of their own, as a service has them: what each call met and how long it
// took, second by second.
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>

#include "tests/bench/commands.h"
#include "tests/bench/sockets.h"
#include "tests/bench/statistics.h"

namespace ballast::bench {
namespace {

/// What calls met that began in one second.
struct Second {
    std::uint64_t answered = 0;
    std::map<std::string, std::uint64_t> errors; ///< by errno's name
    Durations failures;                          ///< how long those took that failed
};

class Calls {
public:
    explicit Calls(const CallsOptions& options)
        : options_(options), to_(options.to), seconds_(count_seconds(options)) {}

    Result<void> run() {
        std::vector<std::jthread> threads;
        for (std::uint32_t i = 0; i < options_.threads; ++i)
            threads.emplace_back([this] { call_until_the_end(); });
        threads.clear();
        return {};
    }

    [[nodiscard]] nlohmann::json json() const {
        nlohmann::json rows = nlohmann::json::array();
        for (std::size_t i = 0; i < seconds_.size(); ++i)
            rows.push_back({{"second", i},
                            {"answered", seconds_[i].answered},
                            {"errors", seconds_[i].errors},
                            {"failure_median_us", seconds_[i].failures.quantile_us(0.5)}});
        return rows;
    }

private:
    static std::size_t count_seconds(const CallsOptions& options) {
        return static_cast<std::size_t>(options.lasting / std::chrono::seconds(1)) + 1;
    }

    void call_until_the_end() {
        for (auto now = Clock::now(); now - begin_ < options_.lasting; now = Clock::now()) {
            Fd socket;
            const int error = call(socket);
            note(now, error, Clock::now() - now);
            if (error == 0)
                std::this_thread::sleep_for(options_.keep);
            socket.reset();
            std::this_thread::sleep_for(options_.pause);
        }
    }

    /// A connection that is established within the time-out: 0, or why there was none.
    int call(Fd& into) const {
        auto socket = tcp_socket(to_.family(), SOCK_NONBLOCK);
        if (!socket || !reset_on_close(*socket))
            return EMFILE;
        into = std::move(*socket);
        const int error = connect_errno(into, to_);
        if (error != EINPROGRESS)
            return error;
        pollfd wait{.fd = into.get(), .events = POLLOUT, .revents = 0};
        if (::poll(&wait, 1, static_cast<int>(options_.timeout.count())) != 1)
            return ETIMEDOUT;
        int met = 0;
        socklen_t size = sizeof met;
        ::getsockopt(into.get(), SOL_SOCKET, SO_ERROR, &met, &size);
        return met;
    }

    void note(Clock::time_point at, int error, Clock::duration took) {
        const std::lock_guard guard(lock_);
        Second& second =
            seconds_[static_cast<std::size_t>((at - begin_) / std::chrono::seconds(1))];
        if (error == 0) {
            ++second.answered;
            return;
        }
        ++second.errors[::strerrorname_np(error)];
        second.failures.add(took);
    }

    CallsOptions options_;
    SocketAddress to_;
    Clock::time_point begin_ = Clock::now();
    std::mutex lock_;
    std::vector<Second> seconds_;
};

} // namespace

Result<void> calls(const CallsOptions& options) {
    Calls all(options);
    auto ran = all.run();
    if (!ran)
        return ran;
    fmt::print("{}\n", all.json().dump());
    return {};
}

} // namespace ballast::bench

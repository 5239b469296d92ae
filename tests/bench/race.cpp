// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <string_view>
#include <thread>
#include <unistd.h>

#include "tests/bench/commands.h"
#include "tests/bench/sockets.h"
#include "tests/bench/statistics.h"

namespace ballast::bench {
namespace {

/// How many connections all threads have open, and the most there ever were. Counted after
/// connect() and before close(), so never more than there really are.
class OpenCount {
public:
    void opened() {
        const int now = ++open_;
        int most = most_.load();
        while (now > most && !most_.compare_exchange_weak(most, now)) {
        }
    }
    void closing() { --open_; }
    [[nodiscard]] int most() const { return most_.load(); }

private:
    std::atomic<int> open_{0};
    std::atomic<int> most_{0};
};

/// What one thread met.
struct Met {
    std::uint64_t attempts = 0;
    std::uint64_t admitted = 0;
    std::uint64_t answered = 0; ///< by a whole HTTP status line
    Durations refusals;
    std::map<std::string, std::uint64_t> errors;

    void add(const Met& other) {
        attempts += other.attempts;
        admitted += other.admitted;
        answered += other.answered;
        refusals.add(other.refusals);
        for (const auto& [name, count] : other.errors)
            errors[name] += count;
    }
};

bool ask(const Fd& socket) {
    constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: demo\r\n\r\n";
    constexpr std::string_view status = "HTTP/1.1 ";
    std::array<char, 4096> answer{};
    if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
        return false;
    const ssize_t got = ::recv(socket.get(), answer.data(), answer.size(), 0);
    return got > 0 &&
           std::string_view(answer.data(), static_cast<std::size_t>(got)).starts_with(status);
}

class Racer {
public:
    Racer(const RaceOptions& options, OpenCount& open, unsigned seed)
        : to_(options.to), open_(open), random_(seed) {}

    void run_until(Clock::time_point end) {
        while (Clock::now() < end)
            attempt();
    }
    [[nodiscard]] const Met& met() const { return met_; }

private:
    void attempt() {
        ++met_.attempts;
        const auto socket = tcp_socket(to_.family());
        if (!socket)
            return refused(socket.error().errno_value(), {});
        const auto begin = Clock::now();
        const int error = connect_errno(*socket, to_);
        if (error != 0)
            return refused(error, Clock::now() - begin);
        open_.opened();
        ++met_.admitted;
        if (ask(*socket))
            ++met_.answered;
        std::this_thread::sleep_for(hold_time());
        open_.closing();
    }

    void refused(int error, std::chrono::nanoseconds took) {
        met_.refusals.add(took);
        ++met_.errors[::strerrorname_np(error)];
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }

    std::chrono::microseconds hold_time() {
        return std::chrono::microseconds(
            std::uniform_int_distribution<int>(5'000, 100'000)(random_));
    }

    SocketAddress to_;
    OpenCount& open_;
    std::minstd_rand random_;
    Met met_;
};

} // namespace

Result<void> race(const RaceOptions& options) {
    OpenCount open;
    Met all;
    std::mutex all_lock;
    std::vector<std::thread> threads;
    const auto end = Clock::now() + options.lasting;
    for (unsigned seed = 1; seed <= options.threads; ++seed)
        threads.emplace_back([&, seed] {
            Racer racer(options, open, seed);
            racer.run_until(end);
            const std::scoped_lock lock(all_lock);
            all.add(racer.met());
        });
    for (auto& thread : threads)
        thread.join();
    const nlohmann::json out{{"attempts", all.attempts},
                             {"admitted", all.admitted},
                             {"answered", all.answered},
                             {"most_open", open.most()},
                             {"errors", all.errors},
                             {"refusal_median_us", all.refusals.quantile_us(0.5)},
                             {"refusal_p99_us", all.refusals.quantile_us(0.99)}};
    fmt::print("{}\n", out.dump());
    return {};
}

} // namespace ballast::bench

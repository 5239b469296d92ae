// SPDX-License-Identifier: Apache-2.0
// Many clients at once: a child process whose threads connect in a race and count what they hold.
// That count is the strictest witness of a limit, since a thread adds to it after connect() and
// takes away before close().
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>

#include "tests/harness/cgroup.h"
#include "tests/harness/process.h"
#include "tests/harness/sockets.h"

namespace ballast::test {

/// Shared between the test and the crowd.
struct CrowdCounts {
    std::atomic<std::uint32_t> attempts{0};
    std::atomic<std::uint32_t> held{0};
    std::atomic<std::uint32_t> held_max{0};
    std::atomic<std::uint32_t> opened{0};    ///< connect() that succeeded
    std::atomic<std::uint32_t> refused{0};   ///< connect() that gave the wanted errno
    std::atomic<std::uint32_t> surprises{0}; ///< anything else
    std::atomic<int> surprise{0};            ///< errno of one of these
};

struct CrowdPlan {
    Dest dest;
    int threads = 64;
    std::uint32_t attempts = 0;    ///< of all threads together; then they wait
    bool churn = false;            ///< close each connection after its answer; refusals are tried
                                   ///< again, so `attempts` of them succeed
    bool abort = false;            ///< close with RST, which ends a connection in the thread itself
    bool request = true;           ///< send an HTTP request and read the answer
    int refusal = ECONNREFUSED;    ///< the errno that a refusal has to give
    std::uint32_t close_first = 0; ///< held connections to close before anything else
};

class Crowd {
public:
    /// `cgroup`: what the process joins first; none: the test process's own.
    explicit Crowd(const Netns& where, const Subgroup* cgroup = nullptr);
    ~Crowd();
    Crowd(const Crowd&) = delete;
    Crowd& operator=(const Crowd&) = delete;

    /// Begins the race and returns; what an earlier plan holds stays held.
    void begin(const CrowdPlan& plan);
    /// Waits until every attempt has been made, calling `meanwhile` between looks.
    void finish(const std::function<void()>& meanwhile = {});
    /// Both in one.
    void race(const CrowdPlan& plan);
    /// Closes `count` of the held connections and returns once that is done.
    void close_some(std::uint32_t count);
    /// SIGKILL; the kernel closes its sockets, and it takes no further plan.
    void kill() { process_.kill(); }

    [[nodiscard]] const CrowdCounts& counts() const;

private:
    struct Shared;

    Process process_;
    Shared* shared_;
    Fd begun_;
    Fd done_;
};

} // namespace ballast::test

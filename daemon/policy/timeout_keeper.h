// SPDX-License-Identifier: Apache-2.0
// Keeps program `tune` attached for as long as some connection may be under a connect_timeout or is
// to get keepalive, and no longer, since the kernel runs it for every connection of the host.
#pragma once

#include <chrono>
#include <optional>

#include "daemon/kernel/programs.h"
#include "daemon/model/policy.h"
#include "daemon/util/error.h"

namespace ballast::policy {

/// Longer than the longest connect_timeout (daemon/config: five minutes).
inline constexpr std::chrono::minutes kTuneLinger{6};

/// Linger timer: true once unused for the whole period. Times: CLOCK_MONOTONIC.
class Linger {
public:
    explicit Linger(std::chrono::nanoseconds length) : length_(length) {}

    /// Call at each check; true once nobody has wanted it for the whole period.
    bool is_over(bool is_wanted, std::chrono::nanoseconds now) {
        if (is_wanted)
            since_.reset();
        else if (!since_)
            since_ = now;
        return since_ && now - *since_ >= length_;
    }

private:
    std::chrono::nanoseconds length_;
    std::optional<std::chrono::nanoseconds> since_;
};

class TimeoutKeeper {
public:
    explicit TimeoutKeeper(kernel::Programs& programs) : programs_(programs) {}

    /// Before `policy`, a datapath_policy(), is put in force: fails where `tune` is needed, or what
    /// sees the end of connections that the policy finds, and cannot be attached.
    Result<void> prepare(const Policy& policy);

    /// Call every second or so with the policy in force. now: CLOCK_MONOTONIC.
    void follow(const Policy& policy, std::chrono::nanoseconds now);

private:
    kernel::Programs& programs_;
    Linger linger_{kTuneLinger};
};

} // namespace ballast::policy

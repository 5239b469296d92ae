// SPDX-License-Identifier: Apache-2.0
// What tests of the governor share: its defaults, a moment, and the other end of the budget.
#pragma once

#include <functional>

#include "bpf/lib/breaker.h"
#include "daemon/govern/governor.h"

namespace ballast::test {

inline const govern::Governor::Monotonic start{std::chrono::minutes(60)};

inline GovernorOptions options() {
    return {.actions_per_minute = 120,
            .breaker_opens_per_minute = 30,
            .observer_fault_percent = 50,
            .observer_fault_window = std::chrono::seconds(10),
            .release_after = std::chrono::seconds(30)};
}

/// The word and those who take from it.
struct GovernedKernel {
    std::uint32_t word = 0;
    std::uint32_t opened = 0;
    std::function<void()> between = [] {}; ///< happens right before each swap

    bool open() {
        const bool paid = ballast_breaker_spend(&word);
        opened += paid;
        return paid;
    }
    std::uint32_t open_all() {
        std::uint32_t count = 0;
        while (open())
            ++count;
        return count;
    }
    /// Another program was faster with the same breaker.
    void give_back() {
        ++word;
        --opened;
    }

    govern::Governor::Decision decide(govern::Governor& governor, std::size_t active,
                                      govern::Governor::Monotonic now) {
        return governor.decide(
            active,
            [this](std::uint32_t& expected, std::uint32_t wanted) {
                between();
                const std::uint32_t was = word;
                if (was != expected) {
                    expected = was;
                    return false;
                }
                word = wanted;
                return true;
            },
            now);
    }
};

} // namespace ballast::test

// SPDX-License-Identifier: Apache-2.0
// The programs' counters, as rows: bpf/counters.h has one for each, and whatever shows counters
// goes by these tables.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bpf/counters.h"

namespace ballast {

enum class CounterGroup : std::uint8_t {
    fail_open,
    breaker_losses,
    half_open_losses,
    keepalive_losses,
    bugs,
};

struct CounterGroupRow {
    std::string_view name; ///< the object in /v1/status; with ballast_ and _total, the metric
    std::string_view help;
};

/// In the order of the enumerators.
inline constexpr std::array<CounterGroupRow, 5> kCounterGroups{{
    {"fail_open", "Connects that were let through where Ballast could not decide."},
    {"breaker_losses", "What breakers could not count, report or do."},
    {"half_open_losses", "Suspect flows that were not reported or not followed."},
    {"keepalive_losses", "What keepalive could not do."},
    {"bugs", "What cannot happen: each is a bug in Ballast."},
}};

struct CounterRow {
    std::string_view name;
    CounterGroup group;
    std::string_view help;
};

#define BALLAST_ROW(name, group, help) {#name, CounterGroup::group, help},
inline constexpr auto kCounters = std::to_array<CounterRow>({BALLAST_COUNTERS(BALLAST_ROW)});
#undef BALLAST_ROW

/// In the order of kCounters.
#define BALLAST_ROW(name, group, help) name,
enum class Counter : std::uint8_t { BALLAST_COUNTERS(BALLAST_ROW) };
#undef BALLAST_ROW

class Counters {
public:
    [[nodiscard]] std::uint64_t& operator[](Counter counter) {
        return values_.at(static_cast<std::size_t>(counter));
    }
    [[nodiscard]] std::uint64_t operator[](Counter counter) const {
        return values_.at(static_cast<std::size_t>(counter));
    }

    /// Calls `each(name, value)` for the counters of a group, in their order.
    template <typename Each>
    void of(CounterGroup group, const Each& each) const {
        for (std::size_t i = 0; i < kCounters.size(); ++i)
            if (kCounters.at(i).group == group)
                each(kCounters.at(i).name, values_.at(i));
    }

    bool operator==(const Counters&) const = default;

private:
    std::array<std::uint64_t, kCounters.size()> values_{};
};

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
// The circuit breaker by its description, for comparison: plain numbers, a list of failures, no
// packing and nothing of bpf/lib but its events. Time is passed in; one thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "bpf/abi.h"
#include "bpf/lib/breaker.h"

namespace ballast::test {

enum class Verdict { admit, probe, refuse };
enum class BreakerOutcome { counted, opened, withheld };

/// What a step did; `from` and `to` are enum ballast_breaker_state.
struct Change {
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    bool operator==(const Change&) const = default;
};

class BreakerModel {
public:
    std::uint32_t state = BALLAST_BREAKER_CLOSED;
    std::uint32_t level = 0;
    std::uint64_t deadline_ms = 0;
    std::uint64_t changes = 0;
    std::uint64_t since_ms = 0;
    std::uint32_t undecided = 0;
    std::uint32_t succeeded = 0;
    std::uint64_t opened = 0;
    std::uint64_t withheld = 0;
    std::uint32_t forced = BALLAST_FORCE_NONE;
    std::uint64_t forced_until_ms = 0;
    std::optional<Change> change; ///< of the last step

    Verdict admit(const ballast_breaker_limits& limits, std::uint64_t now_ms) {
        change.reset();
        if (const auto force = forced_now(now_ms); force != BALLAST_FORCE_NONE)
            return force == BALLAST_FORCE_OPEN ? Verdict::refuse : Verdict::admit;
        if (state != BALLAST_BREAKER_CLOSED && now_ms >= deadline_ms)
            pass_deadline(limits, now_ms);
        if (state == BALLAST_BREAKER_OPEN)
            return Verdict::refuse;
        if (state != BALLAST_BREAKER_HALF_OPEN)
            return Verdict::admit;
        if (undecided + succeeded >= wanted(limits))
            return Verdict::refuse;
        ++undecided;
        return Verdict::probe;
    }

    /// `budget` none: any number of openings. The deadline of an opening is chance:
    /// adopt_deadline().
    BreakerOutcome failure(const ballast_breaker_limits& limits, const ballast_breaker_event& event,
                           std::uint32_t* budget) {
        const auto [kind, is_probe, now_ms] =
            std::tuple(event.kind, event.is_probe != 0, std::uint64_t{event.now_ms});
        change.reset();
        if (!is_counted(limits, event))
            return BreakerOutcome::counted;
        record(limits, kind, now_ms);
        if (!would_open(limits, kind, is_probe, now_ms))
            return BreakerOutcome::counted;
        if (forced_now(now_ms) == BALLAST_FORCE_CLOSED) {
            if (is_probe)
                probe_lost();
            ++withheld;
            return BreakerOutcome::withheld;
        }
        const bool free = state == BALLAST_BREAKER_HALF_OPEN || budget == nullptr;
        if (!free && *budget == 0) {
            ++withheld;
            return BreakerOutcome::withheld;
        }
        if (!free)
            --*budget;
        const bool recovering = state == BALLAST_BREAKER_HALF_OPEN ||
                                (state == BALLAST_BREAKER_RAMP && now_ms < deadline_ms);
        move(BALLAST_BREAKER_OPEN, recovering ? std::min(level + 1, 63U) : 0, 0, now_ms);
        ++opened;
        return BreakerOutcome::opened;
    }

    /// Whether a failure says something of the destination.
    [[nodiscard]] bool is_counted(const ballast_breaker_limits& limits,
                                  const ballast_breaker_event& event) const {
        if (event.kind >= BALLAST_FAILURES || event.is_probe)
            return event.kind < BALLAST_FAILURES;
        if (event.began_ms && event.began_ms < since_ms)
            return false;
        const bool is_old = event.kind == BALLAST_FAILURE_HALF_OPEN_FLOW;
        const bool is_up = count(limits, BALLAST_BREAKER_SUCCESS, event.now_ms) > 0;
        std::uint32_t failing = 0;
        for (const std::uint32_t kind :
             {BALLAST_FAILURE_TIMED_OUT, BALLAST_FAILURE_REFUSED, BALLAST_FAILURE_UNREACHABLE})
            failing += count(limits, kind, event.now_ms);
        if (is_up && (is_old || event.is_given_up))
            return false;
        return !is_old || failing > 0;
    }

    void success(const ballast_breaker_limits& limits, bool is_probe, std::uint64_t now_ms) {
        change.reset();
        if (is_well(limits, is_probe)) {
            if (limits.ramp_ms)
                move(BALLAST_BREAKER_RAMP, level, now_ms + limits.ramp_ms, now_ms);
            else
                move(BALLAST_BREAKER_CLOSED, 0, 0, now_ms);
        }
        record(limits, BALLAST_BREAKER_SUCCESS, now_ms);
    }

    void probe_lost() {
        if (state == BALLAST_BREAKER_HALF_OPEN && undecided > 0)
            --undecided;
    }

    /// Counts a failure, without judging it.
    void record(const ballast_breaker_limits& limits, std::uint32_t kind, std::uint64_t now_ms) {
        if (width(limits) != width_ms_)
            failures_.clear();
        width_ms_ = width(limits);
        const std::uint64_t slot = now_ms / width_ms_;
        if (failures_.empty())
            newest_ = slot;
        newest_ = std::max(newest_, slot);
        failures_.push_back({kind, slot});
        std::erase_if(failures_, [this](const Failure& failure) {
            return failure.slot + BALLAST_BREAKER_SLOTS <= newest_;
        });
    }

    [[nodiscard]] std::uint32_t count(const ballast_breaker_limits& limits, std::uint32_t kind,
                                      std::uint64_t now_ms,
                                      std::uint64_t slots = BALLAST_BREAKER_SLOTS) const {
        if (width(limits) != width_ms_)
            return 0;
        const std::uint64_t now = now_ms / width_ms_;
        return static_cast<std::uint32_t>(
            std::count_if(failures_.begin(), failures_.end(), [&](const Failure& failure) {
                return failure.kind == kind && failure.slot <= now && failure.slot + slots > now;
            }));
    }

    /// The limit of a ramp, which begins with `base` at least and grows from there to twice as much
    /// where there is no limit.
    [[nodiscard]] std::uint32_t limit(const ballast_breaker_limits& limits, std::uint32_t max,
                                      std::uint32_t base, std::uint64_t now_ms) const {
        if (state != BALLAST_BREAKER_RAMP || now_ms >= deadline_ms)
            return max;
        const std::uint64_t twice = std::min<std::uint64_t>(2ULL * base, BALLAST_UNLIMITED);
        const std::uint32_t most =
            max == BALLAST_UNLIMITED ? static_cast<std::uint32_t>(twice) : max;
        return std::min(max, std::max(base, linear(limits, most, now_ms)));
    }

    [[nodiscard]] std::uint32_t linear(const ballast_breaker_limits& limits, std::uint32_t max,
                                       std::uint64_t now_ms) const {
        if (max == BALLAST_UNLIMITED || !limits.ramp_ms)
            return max;
        const double start =
            std::max(1.0, std::ceil(static_cast<double>(max) * limits.ramp_start / 100));
        const auto left = std::min<std::uint64_t>(deadline_ms - now_ms, limits.ramp_ms);
        const double passed = static_cast<double>(limits.ramp_ms - left);
        if (start >= max)
            return max;
        return static_cast<std::uint32_t>(
            std::floor(start + (max - start) * passed / limits.ramp_ms));
    }

    /// Takes over a deadline that was drawn; false where it is not in 75..125 % of what it should.
    bool adopt_deadline(const ballast_breaker_limits& limits, std::uint64_t now_ms,
                        std::uint64_t drawn_ms) {
        double base = std::min(std::ldexp(limits.open_for_ms, static_cast<int>(level)),
                               static_cast<double>(limits.open_max_ms));
        base = std::max(base, 1.0);
        const double drawn = static_cast<double>(drawn_ms - now_ms);
        deadline_ms = drawn_ms;
        return drawn_ms > now_ms && drawn >= 0.75 * base && drawn <= 1.25 * base;
    }

    [[nodiscard]] bool closed_for_good() const {
        return state == BALLAST_BREAKER_CLOSED && forced == BALLAST_FORCE_NONE;
    }

private:
    struct Failure {
        std::uint32_t kind;
        std::uint64_t slot;
    };

    static std::uint32_t wanted(const ballast_breaker_limits& limits) {
        return std::max<std::uint32_t>(limits.probes, 1);
    }

    static std::uint64_t width(const ballast_breaker_limits& limits) {
        return std::clamp<std::uint64_t>(limits.window_ms / BALLAST_BREAKER_SLOTS, 1, 524'287);
    }

    [[nodiscard]] std::uint32_t forced_now(std::uint64_t now_ms) const {
        return forced_until_ms && now_ms >= forced_until_ms ? BALLAST_FORCE_NONE + 0U : forced;
    }

    void move(std::uint32_t to, std::uint32_t new_level, std::uint64_t deadline,
              std::uint64_t now_ms) {
        change = Change{state, to};
        if (state != to)
            since_ms = now_ms;
        state = to;
        level = new_level;
        deadline_ms = deadline;
        undecided = 0;
        succeeded = 0;
        failures_.clear();
        ++changes;
    }

    void pass_deadline(const ballast_breaker_limits& limits, std::uint64_t now_ms) {
        if (state == BALLAST_BREAKER_RAMP)
            move(BALLAST_BREAKER_CLOSED, 0, 0, now_ms);
        else
            move(BALLAST_BREAKER_HALF_OPEN, level,
                 now_ms + std::max<std::uint64_t>(limits.open_for_ms, 1000), now_ms);
    }

    /// Counts a probe's success. True if the destination has shown that it is well.
    bool is_well(const ballast_breaker_limits& limits, bool is_probe) {
        if (!is_probe)
            return state == BALLAST_BREAKER_OPEN && wanted(limits) == 1;
        if (state != BALLAST_BREAKER_HALF_OPEN || undecided == 0)
            return false;
        --undecided;
        return ++succeeded >= wanted(limits);
    }

    [[nodiscard]] bool is_too_much(const ballast_breaker_limits& limits, std::uint32_t kind,
                                   std::uint64_t now_ms, std::uint64_t slots) const {
        std::uint64_t failed = 0;
        std::uint64_t attempts = count(limits, BALLAST_BREAKER_SUCCESS, now_ms, slots);
        for (std::uint32_t each = 0; each < BALLAST_FAILURES; ++each) {
            if (limits.thresholds[each])
                failed += count(limits, each, now_ms, slots);
            if (each != BALLAST_FAILURE_RESET && each != BALLAST_FAILURE_HALF_OPEN_FLOW)
                attempts += count(limits, each, now_ms, slots);
        }
        return count(limits, kind, now_ms, slots) >= limits.thresholds[kind] &&
               failed * 100 >= std::max(attempts, failed) * limits.failure_percent;
    }

    [[nodiscard]] bool would_open(const ballast_breaker_limits& limits, std::uint32_t kind,
                                  bool is_probe, std::uint64_t now_ms) const {
        if (state == BALLAST_BREAKER_OPEN)
            return false;
        if (state == BALLAST_BREAKER_HALF_OPEN)
            return is_probe;
        return limits.thresholds[kind] &&
               (is_too_much(limits, kind, now_ms, BALLAST_BREAKER_SLOTS) ||
                is_too_much(limits, kind, now_ms, BALLAST_BREAKER_SLOTS / 4));
    }

    std::vector<Failure> failures_;
    std::uint64_t width_ms_ = 0;
    std::uint64_t newest_ = 0;
};

} // namespace ballast::test

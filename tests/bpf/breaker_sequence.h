// SPDX-License-Identifier: Apache-2.0
// Random calls to one breaker, at random times under policies that change, and the plain model that
// follows them. What a connection does depends on what happened before, so that all states are met.
#pragma once

#include <random>

#include "tests/bpf/breaker_calls.h"
#include "tests/unit/breaker_model.h"

namespace ballast::test {

class BreakerSequence {
public:
    explicit BreakerSequence(std::uint32_t seed) : random_(seed) { vary_limits(); }

    /// Makes `call`, which holds what the last one left, the next of the sequence.
    void next(breaker_call& call) {
        if (!below(300))
            vary_limits();
        if (!below(100))
            vary_force(call);
        if (!below(40))
            call.budget += below(3);
        step_time(call.breaker.word);
        call.limits = limits_;
        call.operation = pick_operation();
        call.budget_without_end = !below(10);
        call.max_connections = below(4) ? below(1'000'000) : BALLAST_UNLIMITED;
        call.ramp_base = below(3) ? below(2'000'000) : one_of(0, 1, BALLAST_UNLIMITED);
        call.event = {.now_ms = now_ms_ - (below(8) ? 0 : below(200)),
                      .began_ms = below(4) ? 0 : now_ms_ - below(3000),
                      .who = 0, // test_breaker_party.cpp
                      .kind = below(20) ? below(below(2) ? 2 : BALLAST_FAILURES) : below(10),
                      .is_probe = below(2),
                      .is_given_up = !below(4),
                      .error = static_cast<__s32>(below(120)),
                      .random = static_cast<__u32>(random_()),
                      .reserved = 0};
        call.now_ns = now_ms_ * 1'000'000 + below(1'000'000);
        call.interval_ns = limits_.open_for_ms * 1000ULL;
        call.burst_ns = limits_.window_ms * 1000ULL;
    }

private:
    std::uint32_t below(std::uint32_t bound) {
        return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random_);
    }

    template <class... T>
    std::uint32_t one_of(T... choices) {
        const std::uint32_t all[] = {static_cast<std::uint32_t>(choices)...};
        return all[below(sizeof...(choices))];
    }

    std::uint32_t pick_operation() {
        if (below(10) < 8)
            return one_of(BREAKER_ADMIT, BREAKER_ADMIT, BREAKER_FAILURE, BREAKER_FAILURE,
                          BREAKER_SUCCESS, BREAKER_RATE_TAKE);
        return below(BREAKER_OPERATIONS);
    }

    void vary_limits() {
        limits_.window_ms = one_of(0, 7, 80, 1000, 1003, 10'000, 4'194'304, 0xffffffffU);
        limits_.open_for_ms = one_of(0, 1, 100, 1500, 5000, 0xffffffffU);
        limits_.open_max_ms = one_of(0, 1, 3000, 60'000, 60'000, 0xffffffffU);
        limits_.ramp_ms = one_of(0, 1, 1000, 10'000);
        limits_.probes = static_cast<__u16>(below(4));
        limits_.ramp_start = static_cast<__u8>(one_of(0, 1, 10, 33, 100, 255));
        limits_.failure_percent = static_cast<__u8>(one_of(0, 0, 1, 50, 50, 100));
        for (auto& threshold : limits_.thresholds)
            threshold = static_cast<__u16>(below(5));
    }

    void vary_force(breaker_call& call) {
        call.breaker.forced = one_of(BALLAST_FORCE_NONE, BALLAST_FORCE_NONE, BALLAST_FORCE_OPEN,
                                     BALLAST_FORCE_CLOSED);
        call.breaker.forced_until_ms = below(4) ? now_ms_ + below(3000) : 0;
    }

    /// Often within a slot, or to an edge of the deadline; now and then to where the 16 bits of a
    /// slot's number come round again. All in all within the years that the window's numbers last.
    void step_time(__u64 word) {
        const std::uint64_t deadline = ballast_breaker_deadline_ms(word);
        const std::uint64_t slot =
            std::clamp(limits_.window_ms / BALLAST_BREAKER_SLOTS, 1U, 524'287U);
        if (!below(20) && deadline > now_ms_ && deadline < now_ms_ + (1ULL << 24U))
            now_ms_ = deadline - below(2);
        else if (!below(200) && slot <= 2000)
            now_ms_ += slot * 65536 * (1 + below(2)) + below(3) * slot;
        else if (!below(10))
            now_ms_ += below(12) * slot;
        else
            now_ms_ += below(3) ? 0 : below(static_cast<std::uint32_t>(std::min(slot, 5000UL)));
    }

    std::mt19937 random_;
    ballast_breaker_limits limits_{};
    std::uint64_t now_ms_ = 100'000;
};

/// The model at the same calls: says what it would have done otherwise.
class BreakerShadow {
public:
    /// Before the call, with what it is about to be made of; after it, with what came of it.
    /// nullptr when both agree, else what they disagree about.
    const char* follow(const breaker_call& before, const breaker_call& after) {
        model_.forced = before.breaker.forced;
        model_.forced_until_ms = before.breaker.forced_until_ms;
        std::uint32_t budget = before.budget;
        const char* wrong = run(before, after, before.budget_without_end ? nullptr : &budget);
        if (wrong)
            return wrong;
        if (budget != after.budget)
            return "budget";
        return compare(after);
    }

    [[nodiscard]] const BreakerModel& model() const { return model_; }

private:
    const char* run(const breaker_call& call, const breaker_call& after, std::uint32_t* budget) {
        const __u64 now_ms = call.event.now_ms;
        const __u32 kind = call.event.kind;
        model_.change.reset();
        switch (call.operation) {
        case BREAKER_ADMIT:
            return same(model_.admit(call.limits, now_ms), after.result);
        case BREAKER_FAILURE:
            return fail(call, after, budget);
        case BREAKER_SUCCESS:
            model_.success(call.limits, call.event.is_probe, now_ms);
            return nullptr;
        case BREAKER_PROBE_LOST:
            model_.probe_lost();
            return nullptr;
        case BREAKER_RAMPED_LIMIT:
            return same(model_.limit(call.limits, call.max_connections, call.ramp_base, now_ms),
                        after.result);
        case BREAKER_WINDOW_COUNT:
            return same(model_.count(call.limits, kind, now_ms), after.result);
        case BREAKER_CLOSED_FOR_GOOD:
            return same(model_.closed_for_good(), after.result);
        default:
            return nullptr;
        }
    }

    const char* fail(const breaker_call& call, const breaker_call& after, std::uint32_t* budget) {
        const auto& event = call.event;
        // The evidence is that of the window with this failure in it, before it opened for it.
        BreakerModel without_end = model_;
        const bool is_counted = model_.is_counted(call.limits, event);
        const BreakerOutcome outcome = model_.failure(call.limits, event, budget);
        if (is_counted)
            without_end.record(call.limits, event.kind, event.now_ms);
        for (std::uint32_t kind = 0; kind < BALLAST_BREAKER_COUNTS; ++kind)
            if (after.change.counts[kind] !=
                (outcome == BreakerOutcome::counted
                     ? 0
                     : without_end.count(call.limits, kind, event.now_ms)))
                return "evidence";
        if (outcome == BreakerOutcome::opened &&
            !model_.adopt_deadline(call.limits, event.now_ms,
                                   ballast_breaker_deadline_ms(after.breaker.word)))
            return "how long to stay open";
        if (is_counted && after.breaker.last_error != event.error)
            return "last error";
        return same(outcome, after.result);
    }

    template <class T>
    static const char* same(T expected, std::uint32_t result) {
        return static_cast<std::uint32_t>(expected) == result ? nullptr : "result";
    }

    const char* compare(const breaker_call& after) const {
        const ballast_breaker& breaker = after.breaker;
        const __u64 word = breaker.word;
        if (ballast_breaker_state(word) != model_.state)
            return "state";
        if (ballast_breaker_level(word) != model_.level)
            return "level";
        if (ballast_breaker_deadline_ms(word) != model_.deadline_ms)
            return "deadline";
        if (ballast_breaker_generation(word) != model_.changes % 256)
            return "generation";
        if (breaker.opened != model_.opened || breaker.withheld != model_.withheld ||
            breaker.since_ms != model_.since_ms)
            return "opened, withheld or since";
        if (after.change.changed != model_.change.has_value() ||
            (model_.change && *model_.change != Change{after.change.from, after.change.to}))
            return "change";
        return compare_probes(breaker);
    }

    [[nodiscard]] const char* compare_probes(const ballast_breaker& breaker) const {
        const bool current = breaker.probes >> 32 == ballast_breaker_generation(breaker.word);
        const __u64 probes = current ? breaker.probes : 0;
        if (model_.state != BALLAST_BREAKER_HALF_OPEN)
            return nullptr;
        return ballast_probes_undecided(probes) == model_.undecided &&
                       ballast_probes_succeeded(probes) == model_.succeeded
                   ? nullptr
                   : "probes";
    }

    BreakerModel model_;
};

} // namespace ballast::test

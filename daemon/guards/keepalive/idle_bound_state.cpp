// SPDX-License-Identifier: Apache-2.0
// The idle bound as numbers, and back.
#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>

#include "daemon/guards/keepalive/idle_bound.h"

namespace ballast::guards {

namespace {

using Monotonic = IdleBound::Monotonic;

/// The greatest age: everything has faded long before, and sums stay within 64 bits.
constexpr std::int64_t kOldestMs = std::int64_t{3650} * 24 * 3'600'000;

struct Number {
    const char* name;
    std::int64_t value;
    std::int64_t least;
    std::int64_t most;
    bool zero_too = false;
};

std::array<Number, 13> numbers_of(const IdleBoundState& state) {
    const std::int64_t shortest = IdleBound::shortest.count();
    const std::int64_t longest = IdleBound::longest.count();
    const std::int64_t incidents = IdleBound::retry.size();
    return {
        {{"survived_ms", state.survived_ms, shortest, longest, true},
         {"survived_age_ms", state.survived_age_ms, -1, kOldestMs},
         {"died_ms", state.died_ms, shortest, longest, true},
         {"died_age_ms", state.died_age_ms, -1, kOldestMs},
         {"held_back_ms", state.held_back_ms, shortest, longest, true},
         {"held_back_age_ms", state.held_back_age_ms, -1, kOldestMs},
         {"last_drop_age_ms", state.last_drop_age_ms, -1, kOldestMs},
         {"first_age_ms", state.first_age_ms, -1, kOldestMs},
         {"incidents", state.incidents, 0, incidents},
         {"drops", state.drops, 0, IdleBound::most_drops},
         {"agreeing", state.agreeing, 0, IdleBound::outvoting},
         {"contradicting", state.contradicting, 0, IdleBound::most_drops * IdleBound::discarding},
         {"contested", state.contested, 0, 1}}};
}

/// The rule between the numbers that is broken; null if none.
const char* contradiction_in(const IdleBoundState& state) {
    if ((state.survived_ms == 0) != (state.survived_age_ms < 0) ||
        (state.died_ms == 0) != (state.died_age_ms < 0) ||
        (state.held_back_ms == 0) != (state.held_back_age_ms < 0))
        return "a gap without an age, or an age without a gap";
    const bool has_drop = state.incidents != 0 && state.drops != 0 && state.last_drop_age_ms >= 0;
    if (state.died_ms != 0 && !has_drop)
        return "died_ms without a drop";
    const bool has_count = state.drops != 0 || state.contradicting != 0 || state.contested != 0;
    if (state.died_ms == 0 && has_count)
        return "drops without died_ms";
    return nullptr;
}

/// Empty if nothing is.
std::string what_is_wrong(const IdleBoundState& state) {
    for (const Number& number : numbers_of(state)) {
        const bool is_within = number.value >= number.least && number.value <= number.most;
        const bool is_none = number.zero_too && number.value == 0;
        if (is_within || is_none)
            continue;
        return fmt::format("{} {} is not {}in {}..{}", number.name, number.value,
                           number.zero_too ? "0 or " : "", number.least, number.most);
    }
    const char* wrong = contradiction_in(state);
    return wrong == nullptr ? "" : wrong;
}

std::int64_t age_ms(Monotonic at, Monotonic now) {
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - at).count();
    return std::clamp<std::int64_t>(age, 0, kOldestMs);
}

} // namespace

IdleBoundState IdleBound::save(Monotonic now) const {
    IdleBound then = *this;
    then.settle(now);
    const auto age_of = [&](const Evidence& evidence) {
        return evidence.gap == Gap(0) ? -1 : age_ms(evidence.at, now);
    };
    return {.survived_ms = then.survived_.gap.count(),
            .survived_age_ms = age_of(then.survived_),
            .died_ms = then.died_.gap.count(),
            .died_age_ms = age_of(then.died_),
            .held_back_ms = then.held_back_.gap.count(),
            .held_back_age_ms = age_of(then.held_back_),
            .last_drop_age_ms = then.last_drop_ ? age_ms(*then.last_drop_, now) : -1,
            .first_age_ms = then.first_ ? age_ms(*then.first_, now) : -1,
            .incidents = then.incidents_,
            .drops = then.drops_,
            .agreeing = then.agreeing_,
            .contradicting = then.contradicting_,
            .contested = then.contested_ ? 1U : 0U};
}

Result<IdleBound> IdleBound::restore(const IdleBoundState& state, std::chrono::milliseconds age,
                                     Monotonic now) {
    if (const auto wrong = what_is_wrong(state); !wrong.empty())
        return fail(Error(fmt::format("restoring an idle bound: {}", wrong))
                        .hint("what is stored of this path is to be forgotten"));
    const auto since_saved = std::clamp<std::int64_t>(age.count(), 0, kOldestMs);
    const auto before = [&](std::int64_t saved_age_ms) {
        return now - std::chrono::milliseconds(std::min(saved_age_ms + since_saved, kOldestMs));
    };
    const auto evidence = [&](std::int64_t gap_ms, std::int64_t saved_age_ms) {
        return gap_ms == 0 ? Evidence{} : Evidence{Gap(gap_ms), before(saved_age_ms)};
    };
    IdleBound bound;
    bound.survived_ = evidence(state.survived_ms, state.survived_age_ms);
    bound.died_ = evidence(state.died_ms, state.died_age_ms);
    bound.held_back_ = evidence(state.held_back_ms, state.held_back_age_ms);
    if (state.last_drop_age_ms >= 0)
        bound.last_drop_ = before(state.last_drop_age_ms);
    if (state.first_age_ms >= 0)
        bound.first_ = before(state.first_age_ms);
    bound.incidents_ = state.incidents;
    bound.drops_ = state.drops;
    bound.agreeing_ = state.agreeing;
    bound.contradicting_ = state.contradicting;
    bound.contested_ = state.contested != 0;
    if (const IdleBracket read = bound.at(now); read.died && read.survived >= read.died)
        return fail(Error("restoring an idle bound: survived_ms is not below died_ms"));
    return bound;
}

} // namespace ballast::guards

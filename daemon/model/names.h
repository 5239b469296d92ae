// SPDX-License-Identifier: Apache-2.0
// The words for modes, the same in the policy, the API, the CLI and the store.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "daemon/model/policy.h"

namespace ballast {

/// Accepted words, in the order of the enumerators.
inline constexpr std::array<std::string_view, 3> kModeNames{"off", "observe", "enforce"};
inline constexpr std::array<std::string_view, 3> kOnLimitNames{"refused", "again", "unreachable"};

inline constexpr std::array<std::string_view, kFailures> kFailureNames{
    "timed_out", "refused", "unreachable", "slow", "reset", "half_open_flow"};

inline constexpr std::array<std::string_view, 2> kHalfOpenActionNames{"report", "reset"};
inline constexpr std::array<std::string_view, 2> kHalfOpenWitnessNames{"passive", "connect"};

inline constexpr std::array<std::string_view, 3> kKeepaliveKindNames{"off", "auto", "fixed"};

constexpr std::string_view name_of(Mode mode) {
    return kModeNames.at(static_cast<std::size_t>(mode));
}

constexpr std::string_view name_of(OnLimit on_limit) {
    return kOnLimitNames.at(static_cast<std::size_t>(on_limit));
}

constexpr std::string_view name_of(HalfOpenAction action) {
    return kHalfOpenActionNames.at(static_cast<std::size_t>(action));
}

constexpr std::string_view name_of(HalfOpenWitness witness) {
    return kHalfOpenWitnessNames.at(static_cast<std::size_t>(witness));
}

constexpr std::string_view name_of(KeepaliveKind kind) {
    return kKeepaliveKindNames.at(static_cast<std::size_t>(kind));
}

/// The enumerator whose name stands at the same place of `names`; none for any other word.
template <typename Enum, std::size_t N>
constexpr std::optional<Enum> enumerator(const std::array<std::string_view, N>& names,
                                         std::string_view word) {
    for (std::size_t i = 0; i < names.size(); ++i)
        if (names.at(i) == word)
            return static_cast<Enum>(i);
    return std::nullopt;
}

constexpr std::optional<Mode> parse_mode(std::string_view word) {
    return enumerator<Mode>(kModeNames, word);
}

constexpr std::optional<OnLimit> parse_on_limit(std::string_view word) {
    return enumerator<OnLimit>(kOnLimitNames, word);
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/half_open_entry.h"

#include <algorithm>
#include <array>

namespace ballast {
namespace {

using namespace std::chrono_literals;

constexpr std::uint8_t kMinConfirm = 2; ///< one lost packet is no news
constexpr std::uint8_t kMaxConfirm = 10;
constexpr DurationRange kResponseTimeout{1s, 24h, true};
constexpr DurationRange kPathDownAfter{1s, 24h, false};

/// Those of which something is left to reset.
constexpr auto kResettableNames = [] {
    std::array<std::string_view, kResettableKinds> names{};
    std::copy_n(kHalfOpenKindNames.begin(), kResettableKinds, names.begin());
    return names;
}();

} // namespace

void read_half_open(const TableReader& reader, ServiceEntry& entry, ProblemList& warnings) {
    HalfOpen& out = entry.row.half_open;
    entry.half_open_mode = reader.choice<Mode>("mode", kModeNames);
    reader.fill(out.action, "action", kHalfOpenActionNames);
    reader.fill(out.confirm_retransmits, "confirm_retransmits", kMinConfirm, kMaxConfirm);
    reader.fill(out.response_timeout, "response_timeout", kResponseTimeout);
    reader.fill(out.witness, "witness", kHalfOpenWitnessNames);
    reader.fill(out.reset_kinds, "reset_kinds", kResettableNames);
    reader.fill(out.path_down_after, "path_down_after", kPathDownAfter);
    if (out.reset_kinds.empty())
        warnings.add(reader.place("reset_kinds"), reader.full_key("reset_kinds"),
                     "is empty, so nothing is ever reset");
    if (entry.half_open_mode == Mode::enforce && out.action == HalfOpenAction::report)
        warnings.add(reader.place("mode"), reader.full_key("mode"),
                     "enforces nothing: action is \"report\"");
    reader.refuse_the_rest();
}

} // namespace ballast

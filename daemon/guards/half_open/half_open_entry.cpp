// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/half_open_entry.h"

namespace ballast {
namespace {

using namespace std::chrono_literals;

constexpr std::uint8_t kMinConfirm = 2; ///< one lost packet is no news
constexpr std::uint8_t kMaxConfirm = 10;
constexpr DurationRange kResponseTimeout{1s, 24h, true};

} // namespace

void read_half_open(const TableReader& reader, ServiceEntry& entry, ProblemList& warnings) {
    HalfOpen& out = entry.row.half_open;
    entry.half_open_mode = reader.choice<Mode>("mode", kModeNames);
    reader.fill(out.action, "action", kHalfOpenActionNames);
    reader.fill(out.confirm_retransmits, "confirm_retransmits", kMinConfirm, kMaxConfirm);
    reader.fill(out.response_timeout, "response_timeout", kResponseTimeout);
    reader.fill(out.witness, "witness", kHalfOpenWitnessNames);
    if (entry.half_open_mode == Mode::enforce && out.action == HalfOpenAction::report)
        warnings.add(reader.place("mode"), reader.full_key("mode"),
                     "enforces nothing: action is \"report\"");
    reader.refuse_the_rest();
}

} // namespace ballast

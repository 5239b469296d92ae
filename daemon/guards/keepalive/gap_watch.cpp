// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/keepalive/gap_watch.h"

#include <algorithm>

namespace ballast::guards {

using Gap = GapWatch::Gap;

void GapWatch::begin(const GapLook& look, Monotonic now) {
    if (look.is_trying || look.quiet < IdleBound::shortest) {
        flows_.erase(look.cookie);
        return;
    }
    if (flows_.size() >= most_flows && !flows_.contains(look.cookie)) {
        ++table_full_;
        return;
    }
    flows_[look.cookie] = {.last_packet = now - look.quiet,
                           .silence = look.quiet,
                           .met = now,
                           .packets_in = look.packets_in,
                           .packets_out = look.packets_out};
}

Gap GapWatch::lived_through(const Flow& flow, const GapLook& look, Monotonic now) {
    const bool is_alone =
        look.packets_in - flow.packets_in == 1 && look.packets_out - flow.packets_out <= 1;
    if (!is_alone)
        return flow.silence;
    const auto whole = std::chrono::duration_cast<Gap>(now - look.heard - flow.last_packet);
    return std::max(whole, flow.silence);
}

std::optional<Gap> GapWatch::on_flow(const GapLook& look, Monotonic now) {
    const auto found = flows_.find(look.cookie);
    if (found == flows_.end()) {
        begin(look, now);
        return std::nullopt;
    }
    Flow& flow = found->second;
    if (look.packets_in != flow.packets_in) {
        const auto gap = has_slept_since(flow) ? std::optional<Gap>()
                                               : std::optional(lived_through(flow, look, now));
        begin(look, now);
        return gap;
    }
    flow.met = now;
    flow.is_trying = flow.is_trying || look.is_trying || look.packets_out != flow.packets_out;
    if (!flow.is_trying)
        flow.silence = std::chrono::duration_cast<Gap>(now - flow.last_packet);
    return std::nullopt;
}

std::optional<Gap> GapWatch::before_trying(std::uint64_t cookie) const {
    const auto found = flows_.find(cookie);
    if (found == flows_.end() || has_slept_since(found->second))
        return std::nullopt;
    return found->second.silence;
}

void GapWatch::end_sweep(Monotonic began) {
    std::erase_if(flows_, [&](const auto& entry) {
        const Flow& flow = entry.second;
        return flow.met < began - (flow.is_trying ? remembered : grace);
    });
}

} // namespace ballast::guards

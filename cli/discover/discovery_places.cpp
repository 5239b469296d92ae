// SPDX-License-Identifier: Apache-2.0
// Which connections a measurement has open.
#include <algorithm>

#include "cli/discover/discovery.h"

namespace ballast::discovery {
namespace {

/// One that is silent, and the witness.
constexpr std::size_t kFewestConnections = 2;

} // namespace

void Discovery::refused_here(Flow flow, Time now) {
    release(flow);
    options_.connections =
        std::clamp<std::size_t>(flows_.size(), kFewestConnections, options_.connections);
    pause(now);
}

void Discovery::close_all(std::vector<Command>& commands) {
    for (const auto& [flow, idle] : flows_)
        commands.push_back({idle.judge ? Act::abort : Act::close, flow});
    flows_.clear();
    ends_.clear();
    witness_.reset();
    paused_until_.reset();
}

/// Closes flows outside the bracket, and the witness once it was accepted.
void Discovery::close_needless(std::vector<Command>& commands) {
    for (auto entry = flows_.begin(); entry != flows_.end();) {
        const auto& [flow, idle] = *entry++;
        const bool needed = idle.rung ? search_.open(*idle.rung) : !idle.connected;
        if (needed)
            continue;
        commands.push_back({idle.judge ? Act::abort : Act::close, flow});
        release(flow);
    }
}

/// Where there are fewer places than thought the longest gaps wait, so that a witness has one.
void Discovery::close_surplus(std::vector<Command>& commands) {
    while (flows_.size() + (witness_ ? 0 : 1) > options_.connections) {
        const auto longest =
            std::max_element(flows_.begin(), flows_.end(), [](const auto& one, const auto& other) {
                const auto rank = [](const Idle& idle) {
                    return idle.rung && !idle.judge ? *idle.rung + 1 : 0;
                };
                return rank(one.second) < rank(other.second);
            });
        const Flow flow = longest->first;
        if (!longest->second.rung || longest->second.judge)
            return; // all are being judged
        commands.push_back({Act::close, flow});
        release(flow);
    }
}

bool Discovery::wants_witness(Time now) const {
    return std::any_of(flows_.begin(), flows_.end(), [now](const auto& entry) {
        return entry.second.judge && entry.second.judge->wants_witness(now);
    });
}

void Discovery::open_one(std::vector<Command>& commands, Time now,
                         std::optional<GapSearch::Rung> rung) {
    const Flow flow = ++last_flow_;
    Idle& idle = flows_[flow];
    idle.rung = rung;
    idle.begun = now;
    if (!rung)
        witness_ = flow;
    ++findings_.opened;
    commands.push_back({Act::open, flow});
}

/// Nothing while ends wait for judgement: a server that closes at once would be stormed.
void Discovery::open_more(std::vector<Command>& commands, Time now) {
    if (paused_until_ && now >= *paused_until_)
        paused_until_.reset();
    if (paused_until_ || !ends_.empty())
        return;
    if (!witness_ && wants_witness(now))
        open_one(commands, now, std::nullopt);
    const std::size_t most = options_.connections - (witness_ ? 0 : 1);
    while (flows_.size() < most) {
        const auto rung = search_.take();
        if (!rung)
            return;
        open_one(commands, now, rung);
    }
}

} // namespace ballast::discovery

// SPDX-License-Identifier: Apache-2.0
#include "cli/discover/discovery.h"

#include <algorithm>
#include <utility>

namespace ballast::discovery {
namespace {

using std::chrono::duration_cast;

/// How long a probe's answer is waited for: what the path takes, twice, and some for the host.
constexpr ProbeJudge::Wait kShortestWait{250};
constexpr ProbeJudge::Wait kLongestWait{3'000};

ProbeJudge::Wait answer_wait(std::chrono::microseconds rtt) {
    const auto wait = duration_cast<ProbeJudge::Wait>(3 * rtt) + ProbeJudge::Wait(100);
    return std::clamp(wait, kShortestWait, kLongestWait);
}

Gap between(Discovery::Time from, Discovery::Time to) {
    return std::max(duration_cast<Gap>(to - from), Gap(0));
}

/// Rounded up: a gap that is known to be no longer.
Gap between_at_most(Discovery::Time from, Discovery::Time to) {
    return std::max(std::chrono::ceil<Gap>(to - from), Gap(0));
}

void earlier(std::optional<Discovery::Time>& first, std::optional<Discovery::Time> other) {
    if (other && (!first || *other < *first))
        first = other;
}

} // namespace

Discovery::Discovery(const DiscoveryOptions& options)
    : options_(options), search_(idle_ladder(options.longest, options.resolution_percent),
                                 best_stride(options.resolution_percent, options.connections - 1)),
      answer_wait_(kShortestWait) {}

std::vector<Discovery::Command> Discovery::due(Time now) {
    std::vector<Command> commands;
    judge_ends(now);
    judge_probed(commands, now);
    settle();
    if (findings_.state != Discovered::running) {
        close_all(commands);
        return commands;
    }
    close_needless(commands);
    close_surplus(commands);
    probe_due(commands, now);
    open_more(commands, now);
    return commands;
}

std::optional<Discovery::Time> Discovery::probe_time(const Idle& idle) const {
    if (!idle.rung || !idle.connected || idle.judge)
        return std::nullopt;
    return idle.latest + search_.gap(*idle.rung);
}

std::optional<Discovery::Time> Discovery::next_probe() const {
    std::optional<Time> first;
    for (const auto& [flow, idle] : flows_)
        earlier(first, probe_time(idle));
    return first;
}

std::optional<Discovery::Time> Discovery::next_due(Time now) const {
    std::optional<Time> first = next_probe();
    for (const auto& [flow, idle] : flows_)
        if (idle.judge)
            earlier(first, idle.judge->next(now));
    if (!ends_.empty())
        earlier(first, ends_.front().at + together);
    earlier(first, paused_until_);
    return first;
}

bool Discovery::awaits_answers() const {
    return std::any_of(flows_.begin(), flows_.end(),
                       [](const auto& entry) { return entry.second.judge.has_value(); });
}

void Discovery::opened(Flow flow, Time earliest, Time latest, std::chrono::microseconds rtt) {
    const auto found = flows_.find(flow);
    if (found == flows_.end())
        return;
    failures_ = 0;
    answer_wait_ = std::max(answer_wait_, answer_wait(rtt));
    found->second.connected = true;
    found->second.earliest = earliest;
    found->second.latest = latest;
    if (flow != witness_)
        return;
    for (auto& [number, idle] : flows_)
        if (idle.judge && idle.judge->wants_witness(found->second.begun))
            idle.judge->witness();
}

void Discovery::failed_to_open(Flow flow, Time now) {
    if (flow == witness_)
        learn_nothing();
    release(flow);
    pause(now);
}

/// The destination is unreachable: probes sent meanwhile prove nothing.
void Discovery::learn_nothing() {
    for (const auto& [flow, idle] : flows_)
        if (idle.judge)
            void_.push_back(flow);
}

/// Failures of one moment are one.
void Discovery::pause(Time now) {
    if (paused_until_ && now < *paused_until_)
        return;
    if (++failures_ >= most_failures)
        findings_.state = Discovered::cannot_open;
    paused_until_ = now + std::min(first_pause * (1U << (failures_ - 1)), longest_pause);
}

void Discovery::lost(Flow flow, Time now) {
    failed_to_open(flow, now);
}

/// Takes it out of the books; its rung may be tried again.
void Discovery::release(Flow flow) {
    const auto found = flows_.find(flow);
    if (found == flows_.end())
        return;
    if (found->second.rung)
        search_.give_back(*found->second.rung);
    if (witness_ == flow)
        witness_.reset();
    flows_.erase(found);
}

void Discovery::stirred(Flow flow, Time earliest, Time latest) {
    const auto found = flows_.find(flow);
    if (found == flows_.end() || found->second.judge || !found->second.rung)
        return;
    const Gap gap = between(found->second.latest, earliest);
    found->second.earliest = earliest;
    found->second.latest = latest;
    found->second.stirred = true;
    if (gap < kShortestGap && earliest < found->second.begun + greeting)
        return;
    ++findings_.silences_broken;
    if (++found->second.broken > most_broken)
        findings_.state = Discovered::not_silent;
    else if (gap >= kShortestGap)
        survive(gap);
}

void Discovery::probe_left(Flow flow, Time now) {
    const auto found = flows_.find(flow);
    if (found == flows_.end() || !found->second.judge || !found->second.judge->in_volley())
        return;
    found->second.gap_at_most = between_at_most(found->second.earliest, now);
}

void Discovery::answered(Flow flow, Time now) {
    const auto found = flows_.find(flow);
    if (found == flows_.end() || !found->second.judge)
        return;
    Idle& idle = found->second;
    if (idle.judge->unanswered(now) || !idle.judge->in_volley())
        ++findings_.volleys_lost;
    idle.judge.reset();
    search_.survived(*idle.rung);
    survive(idle.gap);
}

void Discovery::survive(Gap gap) {
    if (findings_.died && gap >= *findings_.died) {
        findings_.died.reset();
        search_.forget_died();
        ++findings_.contradictions;
    }
    search_.survived_gap(gap);
    findings_.survived = std::max(findings_.survived.value_or(Gap(0)), gap);
}

void Discovery::die(Flow flow, Death death, Time now) {
    const Idle& idle = flows_.at(flow);
    const Gap gap = idle.gap_at_most.value_or(between_at_most(idle.earliest, now));
    if (findings_.survived && gap <= *findings_.survived) {
        ++findings_.contradictions;
        return;
    }
    search_.died(*idle.rung);
    if (findings_.died && gap >= *findings_.died)
        return;
    findings_.died = gap;
    findings_.death = death;
}

void Discovery::settle() {
    if (findings_.state != Discovered::running || !search_.settled() || !ends_.empty())
        return;
    findings_.state = findings_.died ? Discovered::bracketed : Discovered::none_up_to_max;
}

void Discovery::probe_due(std::vector<Command>& commands, Time now) {
    for (auto& [flow, idle] : flows_) {
        const auto when = probe_time(idle);
        if (!when || *when > now)
            continue;
        idle.gap = between(idle.latest, now);
        idle.gap_at_most.reset();
        idle.judge.emplace(answer_wait_, now);
        commands.push_back({Act::probe, flow});
    }
}

void Discovery::judge_probed(std::vector<Command>& commands, Time now) {
    std::vector<Flow> dead = std::exchange(void_, {});
    for (auto& [flow, idle] : flows_) {
        const auto step = idle.judge ? idle.judge->step(now) : ProbeJudge::Step::wait;
        if (step == ProbeJudge::Step::send)
            commands.push_back({Act::probe, flow});
        if (step != ProbeJudge::Step::dropped && step != ProbeJudge::Step::reset)
            continue;
        const bool reset = step == ProbeJudge::Step::reset;
        die(flow, reset ? Death::reset : Death::silently_dropped, now);
        dead.push_back(flow);
    }
    for (const Flow flow : dead) {
        if (!flows_.contains(flow))
            continue;
        commands.push_back({Act::abort, flow});
        release(flow);
    }
}

} // namespace ballast::discovery

// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/half_open_digest.h"

#include <array>
#include <iterator>

#include <fmt/format.h>

#include "daemon/model/names.h"

namespace ballast::guards {

namespace {

using findings::Reason;

const char* text_of(FlowAct act) {
    constexpr std::array<const char*, kFlowActs> texts{"",
                                                       " act=report",
                                                       " act=none why=kind",
                                                       " act=none why=no_service",
                                                       " act=none why=subflow",
                                                       " act=none why=observe",
                                                       " act=none why=dry_run",
                                                       " act=waiting why=settling",
                                                       " act=waiting why=cap",
                                                       " act=waiting why=pace",
                                                       " act=waiting why=observer_fault",
                                                       " act=reset",
                                                       " act=none why=recovered",
                                                       " act=none why=destination_answers",
                                                       " act=none why=gone",
                                                       " act=none why=too_old",
                                                       " act=none why=too_many",
                                                       " act=none why=failed"};
    return texts.at(static_cast<std::size_t>(act));
}

Reason reason_of(HalfOpenKind kind, FlowAct act, bool is_later) {
    if (is_later)
        return act == FlowAct::reset ? Reason::half_open_flow_reset : Reason::half_open_flow_spared;
    return kind == HalfOpenKind::cleared ? Reason::half_open_flow_cleared : Reason::half_open_flow;
}

/// None while it waits, or if there was nothing to do.
std::optional<bool> acted(FlowAct act) {
    switch (act) {
    case FlowAct::none:
    case FlowAct::settling:
    case FlowAct::waiting:
    case FlowAct::paced:
    case FlowAct::held:
    case FlowAct::recovered:
    case FlowAct::answers:
    case FlowAct::gone:
        return std::nullopt;
    default:
        return act == FlowAct::reset;
    }
}

std::string flow_names(const std::vector<HalfOpenVerdict>& verdicts) {
    std::string text;
    for (const auto& verdict : verdicts)
        text += fmt::format("{}{}->{}", text.empty() ? "" : ",", verdict.key.local.text(),
                            verdict.key.remote.text());
    return text;
}

/// For the first flow: what it waited for, and what else was seen of its peer.
std::string evidence_of_flow(const HalfOpenVerdict& verdict) {
    std::string text =
        fmt::format(" silent_ms={} tries={} in_flight={} unacked_bytes={}", verdict.silent.count(),
                    verdict.tries, verdict.packets_out, verdict.queued);
    if (verdict.is_window_shut)
        text += " window=0";
    if (verdict.lasting.count() != 0)
        text += fmt::format(" lasting_ms={}", verdict.lasting.count());
    if (verdict.kind == HalfOpenKind::mtu_black_hole)
        text += fmt::format(" segment_bytes={}", verdict.segment);
    if (verdict.unanswered.count() != 0)
        text += fmt::format(" unanswered_ms={}", verdict.unanswered.count());
    if (verdict.is_one_way)
        text += " one_way=true";
    text += fmt::format(" others={} others_alive={}", verdict.others, verdict.others_alive);
    if (*verdict.witness != '\0')
        text += fmt::format(" fresh_connect={}", verdict.witness);
    if (verdict.is_lossy)
        text += " lossy_path=true";
    if (verdict.has_ended)
        text += " ended=ETIMEDOUT";
    if (verdict.is_orphan)
        text += " closed=true";
    return text;
}

} // namespace

void HalfOpenDigest::add(const HalfOpenVerdict& verdict, Mode mode, FlowAct act, bool is_later) {
    Key key{verdict.kind, verdict.peer(), verdict.service, act, is_later};
    if (groups_.size() >= most_groups && !groups_.contains(key)) {
        ++coalesced_;
        return;
    }
    Group& group = groups_[std::move(key)];
    group.mode = mode;
    ++group.flows;
    ++pending_;
    if (group.named.size() < most_named)
        group.named.push_back(verdict);
    else
        ++coalesced_;
}

Finding HalfOpenDigest::finding_of(const Key& key, const Group& group) {
    const HalfOpenVerdict& first = group.named.front();
    const bool is_inbound = key.peer.direction == Direction::inbound;
    Finding finding;
    finding.reason = reason_of(key.kind, key.act, key.is_later);
    finding.kind = name_of(key.kind);
    finding.netns = first.netns;
    finding.tcp_state = name_of(first.state);
    finding.owner = first.owner;
    finding.acted = acted(key.act);
    finding.destination = first.key.remote;
    finding.service = key.service;
    finding.evidence =
        fmt::format("kind={} mode={}{} side={} flows={}", name_of(key.kind), name_of(group.mode),
                    text_of(key.act), is_inbound ? "server" : "client", group.flows) +
        evidence_of_flow(first) +
        fmt::format(" netns={} flow={}", first.netns, flow_names(group.named));
    return finding;
}

std::vector<Finding> HalfOpenDigest::take(Monotonic now) {
    std::vector<Finding> findings;
    for (auto at = groups_.begin(); at != groups_.end();) {
        Group& group = at->second;
        const bool is_quiet = group.told && now - *group.told < quiet;
        if (!is_quiet && group.flows == 0) {
            at = groups_.erase(at);
            continue;
        }
        if (!is_quiet && findings.size() < most_findings) {
            findings.push_back(finding_of(at->first, group));
            pending_ -= group.flows;
            group = {.mode = group.mode, .flows = 0, .named = {}, .told = now};
        }
        ++at;
    }
    return findings;
}

} // namespace ballast::guards

// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/half_open_guard.h"

#include <algorithm>
#include <utility>

namespace ballast::guards {

namespace {

using std::chrono::milliseconds;

bool belongs_to(const DiagSocket& socket, const PeerKey& peer) {
    return peer.direction == Direction::outbound ? socket.key.remote.port == peer.port
                                                 : socket.key.local.port == peer.port;
}

std::size_t count_after(const std::vector<Monotonic>& ascending, Monotonic after) {
    return static_cast<std::size_t>(ascending.end() - std::ranges::upper_bound(ascending, after));
}

/// Much of all it sent was lost, as on a path that loses packets from the start.
bool lost_much(const TcpFacts& tcp) {
    return tcp.total_retrans >= 3 && tcp.total_retrans * std::uint64_t{10} >= tcp.data_segs_out &&
           tcp.data_segs_out > 0;
}

std::size_t index_of(HalfOpenKind kind) {
    return static_cast<std::size_t>(kind);
}

} // namespace

HalfOpenVerdict HalfOpenGuard::verdict(const Entry& entry, HalfOpenKind kind, Monotonic now) const {
    const Suspect& suspect = entry.suspect;
    const Suspicion& last = suspect.last();
    HalfOpenVerdict made;
    made.kind = kind;
    made.key = last.key;
    made.netns = last.netns;
    made.direction = last.direction;
    made.service = last.service;
    made.silent = std::chrono::duration_cast<milliseconds>(now - suspect.silent_since());
    made.tries = suspect.tries();
    made.packets_out = last.packets_out;
    made.is_window_shut = last.snd_wnd == 0 && last.what != Suspicion::What::probe;
    made.has_ended = suspect.has_ended();
    made.is_orphan = last.is_orphan;
    made.is_revised = suspect.verdict().has_value();
    made.is_one_way = suspect.is_one_way();
    made.silence = suspect.silence();
    made.inode = entry.inode;
    made.state = entry.state;
    const auto at = peers_.find(entry.peer);
    if (at == peers_.end())
        return made;
    made.others = static_cast<std::uint32_t>(at->second.others);
    made.others_alive = static_cast<std::uint32_t>(
        count_after(at->second.heard, suspect.last_try() + Suspect::margin));
    made.is_lossy = at->second.is_losing || suspect.was_lossy();
    made.witness = at->second.witness;
    return made;
}

HalfOpenGuard::Entries::iterator HalfOpenGuard::erase(Entries::iterator at) {
    const auto peer = peers_.find(at->second.peer);
    if (peer != peers_.end()) {
        peer->second.suspects.erase(at->first);
        if (peer->second.suspects.empty())
            peers_.erase(peer);
    }
    return suspects_.erase(at);
}

/// Something was received: any conclusion is void (H1).
HalfOpenGuard::Entries::iterator HalfOpenGuard::clear(Entries::iterator at, Monotonic now) {
    const Entry& entry = at->second;
    if (entry.suspect.tries() > 1)
        remember_recovery(entry.peer, now);
    if (entry.suspect.verdict())
        ready_.push_back(verdict(entry, HalfOpenKind::cleared, now));
    else
        ++counts_.recovered;
    return erase(at);
}

void HalfOpenGuard::remember_recovery(const PeerKey& key, Monotonic now) {
    if (recovered_.size() >= most_recovered)
        std::erase_if(recovered_,
                      [&](const auto& known) { return now - known.second >= lossy_for; });
    if (recovered_.size() >= most_recovered)
        recovered_.erase(std::ranges::min_element(recovered_, {},
                                                  [](const auto& known) { return known.second; }));
    recovered_[key] = now;
}

bool HalfOpenGuard::has_recovered(const PeerKey& key, Monotonic now) const {
    const auto at = recovered_.find(key);
    return at != recovered_.end() && now - at->second < lossy_for;
}

void HalfOpenGuard::on_suspicion(const Suspicion& suspicion, const Rules& rules) {
    auto at = suspects_.find(suspicion.key.cookie);
    if (at != suspects_.end() && !at->second.suspect.is_same_silence(suspicion)) {
        clear(at, suspicion.at);
        at = suspects_.end();
    }
    if (suspicion.what == Suspicion::What::reset) {
        const Entry entry{Suspect(suspicion, rules.confirm),
                          peer_of(suspicion.key, suspicion.netns, suspicion.direction), rules,
                          suspicion.at};
        ready_.push_back(verdict(entry, HalfOpenKind::refused_late, suspicion.at));
        if (at != suspects_.end())
            erase(at);
        return;
    }
    if (at == suspects_.end()) {
        follow(suspicion, rules);
        return;
    }
    Peer& peer = peers_[at->second.peer];
    if (suspicion.what != Suspicion::What::probe) { // looks count those better
        at->second.suspect.add(suspicion);
        at->second.suspect.see_life(peer.heard); // that will have been heard from again by the next
    }
    peer.next_look = suspicion.at;
}

void HalfOpenGuard::follow(const Suspicion& suspicion, const Rules& rules) {
    if (suspects_.size() >= most_suspects) {
        ++counts_.table_full;
        return;
    }
    const PeerKey key = peer_of(suspicion.key, suspicion.netns, suspicion.direction);
    suspects_.emplace(suspicion.key.cookie,
                      Entry{Suspect(suspicion, rules.confirm), key, rules, suspicion.at});
    Peer& peer = peers_[key];
    peer.suspects.insert(suspicion.key.cookie);
    peer.next_look = suspicion.at;
    ++counts_.suspected;
}

std::vector<PeerKey> HalfOpenGuard::due(Monotonic now) const {
    std::vector<PeerKey> keys;
    for (const auto& [key, peer] : peers_)
        if (peer.next_look <= now)
            keys.push_back(key);
    return keys;
}

void HalfOpenGuard::postpone(const PeerKey& peer, Monotonic until) {
    if (const auto at = peers_.find(peer); at != peers_.end())
        at->second.next_look = std::max(at->second.next_look, until);
}

std::vector<FlowKey> HalfOpenGuard::suspects_of(const PeerKey& peer) const {
    std::vector<FlowKey> keys;
    if (const auto at = peers_.find(peer); at != peers_.end())
        for (const auto cookie : at->second.suspects)
            if (const Suspect& suspect = suspects_.at(cookie).suspect; !suspect.has_ended())
                keys.push_back(suspect.last().key);
    return keys;
}

void HalfOpenGuard::on_flow(const FlowKey& key, const std::optional<DiagSocket>& found,
                            Monotonic now) {
    const auto at = suspects_.find(key.cookie);
    if (at == suspects_.end() || at->second.suspect.has_ended())
        return;
    if (found) {
        at->second.inode = found->inode;
        at->second.state = found->state;
    }
    if (found && at->second.suspect.silence().is_over(*found, now)) {
        clear(at, now);
    } else if (found) {
        at->second.suspect.hear(heard_at(*found, now));
        follow_probes(at->second, *found, now);
    } else {
        counts_.ended += at->second.suspect.verdict() ? 0U : 1U;
        erase(at);
    }
}

/// No program reports keepalive probes, so they are counted at each look.
void HalfOpenGuard::follow_probes(Entry& entry, const DiagSocket& socket, Monotonic now) {
    const Monotonic looked = std::exchange(entry.looked, now);
    if (socket.timer != TcpTimer::keepalive || socket.timer_retransmits == 0)
        return;
    Suspicion next = entry.suspect.last();
    next.what = Suspicion::What::probe;
    next.is_tail_probe = false;
    next.at = now;
    next.earlier = std::chrono::ceil<milliseconds>(now - looked);
    next.silent = std::chrono::duration_cast<milliseconds>(now - heard_at(socket, now));
    next.rtt = milliseconds(socket.tcp.rtt_us / 1000 + 1);
    next.probes = socket.timer_retransmits;
    next.packets_out = socket.tcp.unacked;
    next.total_retrans = socket.tcp.total_retrans;
    next.data_segs_out = socket.tcp.data_segs_out;
    entry.suspect.add(next);
}

/// Unacknowledged flows may hear the peer although nothing of theirs arrives, so they show no life.
/// The path is lossy if one flow in ten loses now, has lost twice since the first look, or has lost
/// much in all.
void HalfOpenGuard::look_at_others(Peer& peer, const FlowList& list, const PeerKey& key,
                                   Monotonic now) {
    std::size_t losing = 0;
    peer.others = 0;
    peer.heard.clear();
    std::unordered_map<std::uint64_t, std::uint32_t> retrans;
    for (const auto& socket : list.flows) {
        if (!belongs_to(socket, key))
            continue;
        if (socket.tcp.retransmits == 0)
            peer.heard.push_back(heard_at(socket, now));
        if (suspects_.contains(socket.key.cookie))
            continue;
        ++peer.others;
        const auto known = peer.retrans.find(socket.key.cookie);
        const auto first = known == peer.retrans.end() ? socket.tcp.total_retrans : known->second;
        retrans.emplace(socket.key.cookie, first);
        losing += socket.tcp.retransmits > 0 || socket.tcp.total_retrans - first >= 2 ||
                          lost_much(socket.tcp)
                      ? 1U
                      : 0U;
    }
    peer.retrans = std::move(retrans);
    peer.is_losing = (losing > 0 && losing * 10 >= peer.others) || has_recovered(key, now);
    std::ranges::sort(peer.heard);
}

void HalfOpenGuard::show_life(const Peer& peer) {
    for (const auto cookie : peer.suspects) {
        Suspect& suspect = suspects_.at(cookie).suspect;
        suspect.see_life(peer.heard);
        suspect.see_life(peer.witnessed);
    }
}

void HalfOpenGuard::plan(Peer& peer, Monotonic now) {
    const bool is_trying = std::ranges::any_of(peer.suspects, [&](std::uint64_t cookie) {
        const Suspect& suspect = suspects_.at(cookie).suspect;
        return !suspect.is_final() && now - suspect.last_try() < slow;
    });
    peer.next_look = now + (is_trying ? quick : slow);
}

void HalfOpenGuard::on_flows(const PeerKey& key, const FlowList& list, Monotonic now) {
    const auto at = peers_.find(key);
    if (at == peers_.end())
        return;
    std::unordered_map<std::uint64_t, const DiagSocket*> found;
    for (const auto& socket : list.flows)
        found.emplace(socket.key.cookie, &socket);
    look_at_others(at->second, list, key, now);
    const bool is_whole = !list.cut_off && !list.interrupted;
    for (const auto& suspect : suspects_of(key)) {
        const auto socket = found.find(suspect.cookie);
        if (socket != found.end())
            on_flow(suspect, *socket->second, now);
        else if (is_whole)
            on_flow(suspect, std::nullopt, now);
    }
    const auto left = peers_.find(key);
    if (left == peers_.end())
        return;
    show_life(left->second);
    plan(left->second, now);
}

std::vector<PeerKey> HalfOpenGuard::wants_witness() {
    std::vector<PeerKey> wanted;
    for (const auto& [cookie, entry] : suspects_) {
        const Suspect& suspect = entry.suspect;
        Peer& peer = peers_[entry.peer];
        if (!entry.rules.may_connect || entry.peer.direction == Direction::inbound ||
            suspect.is_final() || !suspect.is_nearly_confirmed() || suspect.has_life_after() ||
            (peer.asked && *peer.asked >= suspect.last_try()))
            continue;
        peer.asked = suspect.last_try();
        wanted.push_back(entry.peer);
    }
    return wanted;
}

void HalfOpenGuard::on_witness(const PeerKey& key, bool is_answered, Monotonic at) {
    constexpr std::size_t most_witnessed = 16;
    const auto found = peers_.find(key);
    if (found == peers_.end())
        return;
    Peer& peer = found->second;
    peer.witness = is_answered ? "answered" : "silent";
    if (!is_answered)
        return;
    if (peer.witnessed.size() >= most_witnessed)
        peer.witnessed.erase(peer.witnessed.begin());
    peer.witnessed.push_back(at);
    show_life(peer);
}

std::vector<HalfOpenVerdict> HalfOpenGuard::judge(Monotonic now) {
    for (auto at = suspects_.begin(); at != suspects_.end();) {
        Entry& entry = at->second;
        const auto peer = peers_.find(entry.peer);
        const bool is_lossy = peer != peers_.end() && peer->second.is_losing;
        if (const auto kind = entry.suspect.judge(now, is_lossy)) {
            ready_.push_back(verdict(entry, *kind, now));
            entry.suspect.conclude(*kind);
        }
        const bool is_over = entry.suspect.has_ended() && entry.suspect.verdict();
        const bool is_given_up = !is_over && entry.suspect.is_given_up(now);
        counts_.ended += is_given_up ? 1U : 0U;
        at = is_over || is_given_up ? erase(at) : std::next(at);
    }
    for (const auto& made : ready_)
        ++counts_.verdicts.at(index_of(made.kind));
    return std::exchange(ready_, {});
}

} // namespace ballast::guards

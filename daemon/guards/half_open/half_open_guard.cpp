// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/half_open_guard.h"

#include <algorithm>
#include <utility>

#include "daemon/guards/half_open/half_open_neighbours.h"

namespace ballast::guards {

namespace {

using std::chrono::milliseconds;

bool belongs_to(const DiagSocket& socket, const PeerKey& peer) {
    const std::uint16_t port =
        peer.direction == Direction::outbound ? socket.key.remote.port : socket.key.local.port;
    return port == peer.port && socket.key.local.address == peer.source &&
           socket.key.interface_index == peer.interface_index && socket.mark == peer.mark;
}

std::size_t count_after(const std::vector<Monotonic>& ascending, Monotonic after) {
    return static_cast<std::size_t>(ascending.end() - std::ranges::upper_bound(ascending, after));
}

/// How long a server repeats its SYN-ACK to a connection that it has no room to accept: 1, 2, 4 ..
/// s with net.ipv4.tcp_synack_retries = 5, after which data is answered with RST.
constexpr std::chrono::seconds accepting_for{63};

/// A path that swallows large packets shows it on the first large segment of a flow in use: one
/// that had been silent for longer may as well have been forgotten. Firewalls take 30 s at the
/// least.
constexpr std::chrono::seconds in_use{20};
/// Nor one that was silent for so short a time; the first try is looked at after a second.
constexpr std::chrono::seconds in_flow{3};
/// What every path has to carry: a minimal IPv6 packet of 1,280 bytes (RFC 8200, section 5), less
/// its headers. Smaller segments are not lost for their size.
constexpr std::uint32_t least_mtu_payload = 1220;

/// No segment as large as the one that is lost was acknowledged before, as far as the flow's mean
/// shows.
bool is_first_large(const Suspicion& last) {
    const std::uint32_t sent =
        last.data_segs_out - std::min(last.data_segs_out, last.total_retrans);
    const std::uint32_t passed = sent - std::min(sent, last.packets_out);
    return passed == 0 || last.bytes_acked / passed < least_mtu_payload;
}

/// Of what is under way and timed out again and again, nothing counts as sent again: it is refused
/// below TCP (bpf/lib/suspicion.h, ballast_is_unsent()).
bool is_unsent(const TcpFacts& tcp) {
    return tcp.unacked > 0 && tcp.retransmits >= 2 && tcp.retrans == 0;
}

} // namespace

HalfOpenKind HalfOpenGuard::refined(HalfOpenKind kind, const Entry& entry, const Peer& peer) {
    if (entry.is_unsent)
        return HalfOpenKind::local_fault;
    if (kind != HalfOpenKind::silently_dropped)
        return kind;
    const Suspicion& first = entry.suspect.first();
    if (first.direction == Direction::inbound)
        return HalfOpenKind::client_silent;
    if (entry.suspect.is_unheeded() && first.silent < accepting_for)
        return HalfOpenKind::not_accepted;
    const Suspicion& last = entry.suspect.last();
    const bool has_passed_large = !is_first_large(last);
    // That large ones passed before shows nothing where no firewall can have forgotten the flow
    // since: paths change, and back.
    if (first.silent < (has_passed_large ? in_flow : in_use) && last.segment > least_mtu_payload &&
        peer.largest <= least_mtu_payload)
        return HalfOpenKind::mtu_black_hole;
    return HalfOpenKind::silently_dropped;
}

std::optional<Monotonic> HalfOpenGuard::heard_of(const PeerKey& key) const {
    const auto at = peers_.find(key);
    if (at == peers_.end())
        return std::nullopt;
    std::optional<Monotonic> last;
    for (const auto* signs : {&at->second.heard, &at->second.witnessed})
        if (!signs->empty() && (!last || signs->back() > *last))
            last = signs->back();
    return last;
}

void HalfOpenGuard::forget(std::uint64_t cookie) {
    if (const auto at = suspects_.find(cookie); at != suspects_.end())
        erase(at);
}

HalfOpenVerdict HalfOpenGuard::verdict(const Entry& entry, HalfOpenKind kind, Monotonic now) const {
    const Suspect& suspect = entry.suspect;
    const Suspicion& last = suspect.last();
    HalfOpenVerdict made;
    made.kind = kind;
    made.key = last.key;
    made.netns = last.netns;
    made.direction = last.direction;
    made.mark = last.mark;
    made.rtt = last.rtt;
    made.queued = last.queued;
    made.segment = last.segment;
    made.is_subflow = last.is_subflow;
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
    made.is_lossy = at->second.loss == PathLoss::much || suspect.was_lossy();
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
        const Entry entry{
            Suspect(suspicion, rules.confirm),
            peer_of(suspicion.key, suspicion.netns, suspicion.direction, suspicion.mark), rules,
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
    const PeerKey key =
        peer_of(suspicion.key, suspicion.netns, suspicion.direction, suspicion.mark);
    suspects_.emplace(suspicion.key.cookie,
                      Entry{Suspect(suspicion, rules.confirm), key, rules, suspicion.at});
    const auto [at, is_new] = peers_.try_emplace(key);
    Peer& peer = at->second;
    if (is_new)
        peer.followed = suspicion.at;
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
        follow_sending(at->second, found->tcp);
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

/// One try that does not leave this host shows nothing: a burst overflows a device's queue, and the
/// next try goes out.
void HalfOpenGuard::follow_sending(Entry& entry, const TcpFacts& tcp) {
    if (!is_unsent(tcp)) {
        entry.unsent_since = 0;
        entry.is_unsent = false;
    } else if (entry.unsent_since == 0) {
        entry.unsent_since = tcp.retransmits;
    } else {
        entry.is_unsent = tcp.retransmits > entry.unsent_since;
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

/// What a flow had sent when it was first seen, or before it came under suspicion.
Sent HalfOpenGuard::first_sent(const Peer& peer, const DiagSocket& socket) const {
    if (const auto known = peer.sent.find(socket.key.cookie); known != peer.sent.end())
        return known->second;
    const auto suspect = suspects_.find(socket.key.cookie);
    return suspect != suspects_.end() ? suspect->second.suspect.sent_before()
                                      : Sent{socket.tcp.data_segs_out, socket.tcp.total_retrans};
}

/// Unacknowledged flows may hear the peer although nothing of theirs arrives, so they show no life.
/// What suspects lost counts once they have recovered.
void HalfOpenGuard::look_at_others(Peer& peer, const FlowList& list, const PeerKey& key,
                                   Monotonic now) {
    Neighbours others;
    peer.heard.clear();
    std::unordered_map<std::uint64_t, Sent> firsts;
    for (const auto& socket : list.flows) {
        if (!belongs_to(socket, key))
            continue;
        if (socket.tcp.retransmits == 0)
            peer.heard.push_back(heard_at(socket, now));
        const Sent first = first_sent(peer, socket);
        firsts.emplace(socket.key.cookie, first);
        if (!suspects_.contains(socket.key.cookie))
            others.add(socket, first, now);
    }
    peer.sent = std::move(firsts);
    peer.others = others.flows();
    peer.largest = others.largest();
    peer.loss = has_recovered(key, now) ? PathLoss::much : others.loss();
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

std::optional<HalfOpenKind> HalfOpenGuard::judge(const Entry& entry, Monotonic now) const {
    const Peer& peer = peers_.at(entry.peer);
    const auto kind = entry.suspect.judge(now, peer.loss);
    const bool is_early = entry.suspect.was_reported_late() && now - peer.followed < watched_for;
    return kind == HalfOpenKind::silently_dropped && is_early ? std::nullopt : kind;
}

std::vector<HalfOpenVerdict> HalfOpenGuard::judge(Monotonic now) {
    for (auto at = suspects_.begin(); at != suspects_.end();) {
        Entry& entry = at->second;
        if (const auto kind = judge(entry, now)) {
            ready_.push_back(verdict(entry, refined(*kind, entry, peers_.at(entry.peer)), now));
            entry.suspect.conclude(*kind);
        }
        const bool is_over = entry.suspect.has_ended() && entry.suspect.verdict();
        const bool is_given_up = !is_over && entry.suspect.is_given_up(now);
        counts_.ended += is_given_up ? 1U : 0U;
        at = is_over || is_given_up ? erase(at) : std::next(at);
    }
    return std::exchange(ready_, {});
}

} // namespace ballast::guards

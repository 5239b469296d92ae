// SPDX-License-Identifier: Apache-2.0
// Finds half-open flows among those that programs suspect. Pure; time is passed in.
//
// It receives suspicions as they come, asks for the flows of the peers concerned (due()), receives
// their state (on_flows()), and judges. The rules for a verdict: half_open_suspect.h. A path counts
// as lossy while other flows of the peer retransmit, or flows under suspicion recovered.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "daemon/guards/half_open/half_open_suspect.h"

namespace ballast::guards {

class HalfOpenGuard {
public:
    /// Flows under suspicion at a time; more are counted in `table_full`.
    static constexpr std::size_t most_suspects = 8192;
    /// A peer is checked every `quick` while one of its flows tries, every `slow` long after a try.
    static constexpr std::chrono::milliseconds quick{100};
    static constexpr std::chrono::milliseconds slow{2000};
    /// For how long the other flows of a peer have to be watched before a flow that was reported
    /// late, after several tries, counts as dropped: what they sent in the hours before does not
    /// show that the path has not begun to lose just now.
    static constexpr std::chrono::milliseconds watched_for{400};
    /// How long a path counts as lossy after a flow on it recovered.
    static constexpr std::chrono::seconds lossy_for{30};
    static constexpr std::size_t most_recovered = 4096;

    /// The policy for a flow.
    struct Rules {
        unsigned confirm = 3;     ///< unanswered tries
        bool may_connect = false; ///< a fresh connect may be the witness
    };

    struct Counts {
        std::uint64_t suspected = 0;
        std::uint64_t recovered = 0;  ///< heard from again before any verdict
        std::uint64_t ended = 0;      ///< closed before any verdict
        std::uint64_t table_full = 0; ///< suspicions not followed
    };

    void on_suspicion(const Suspicion& suspicion, const Rules& rules);

    /// Peers whose flows should be checked now.
    [[nodiscard]] std::vector<PeerKey> due(Monotonic now) const;

    /// The flows of a peer, suspects or not, as they are at `now`. If the list may be incomplete,
    /// missing suspects are left unchanged (suspects_of(), on_flow()).
    void on_flows(const PeerKey& peer, const FlowList& list, Monotonic now);

    /// The state of a single suspect; none: its socket is gone.
    void on_flow(const FlowKey& key, const std::optional<DiagSocket>& found, Monotonic now);
    [[nodiscard]] std::vector<FlowKey> suspects_of(const PeerKey& peer) const;

    /// The peer could not be checked: retried later.
    void postpone(const PeerKey& peer, Monotonic until);

    /// When anything was last heard of a peer that has suspects, by the last look at it; none if
    /// never, or it has none.
    [[nodiscard]] std::optional<Monotonic> heard_of(const PeerKey& peer) const;
    [[nodiscard]] bool is_following(const PeerKey& peer) const { return peers_.contains(peer); }

    /// It was destroyed: no verdict follows.
    void forget(std::uint64_t cookie);

    /// Peers to which a fresh connect should be made, since no flow shows either way; each is
    /// returned once a try.
    std::vector<PeerKey> wants_witness();
    /// How the connect ended at `at`: answered in any way, or not at all.
    void on_witness(const PeerKey& peer, bool is_answered, Monotonic at);

    std::vector<HalfOpenVerdict> judge(Monotonic now);

    [[nodiscard]] bool is_idle() const { return suspects_.empty() && ready_.empty(); }
    [[nodiscard]] std::size_t suspects() const { return suspects_.size(); }
    [[nodiscard]] const Counts& counts() const { return counts_; }

private:
    struct Entry {
        Suspect suspect;
        PeerKey peer;
        Rules rules;
        Monotonic looked;        ///< at it, last
        std::uint32_t inode = 0; ///< by that look
        TcpState state = TcpState::unknown;
        unsigned unsent_since = 0; ///< timeouts in a row when a look first found it so, else 0
        bool is_unsent = false;    ///< in two tries in a row: they do not leave this host
    };
    struct Peer {
        std::set<std::uint64_t> suspects; ///< cookies
        Monotonic followed;               ///< since then
        Monotonic next_look;
        std::vector<Monotonic> heard; ///< of each flow, ascending
        std::vector<Monotonic> witnessed;
        std::unordered_map<std::uint64_t, Sent> sent; ///< by each flow, at first
        std::size_t others = 0;
        PathLoss loss = PathLoss::unknown; ///< by the last look
        std::uint64_t largest = 0; ///< mean bytes of the segments of that other flow that sends the
                                   ///< largest, acknowledged all
        std::optional<Monotonic> asked; ///< for a witness
        const char* witness = "";
    };
    using Entries = std::unordered_map<std::uint64_t, Entry>;

    void follow(const Suspicion& suspicion, const Rules& rules);
    Entries::iterator erase(Entries::iterator at);
    /// What its suspicion comes to by now.
    [[nodiscard]] std::optional<HalfOpenKind> judge(const Entry& entry, Monotonic now) const;
    Entries::iterator clear(Entries::iterator at, Monotonic now);
    /// What that comes to by the flow's own history and what its peer is.
    [[nodiscard]] static HalfOpenKind refined(HalfOpenKind kind, const Entry& entry,
                                              const Peer& peer);
    static void follow_sending(Entry& entry, const TcpFacts& tcp);
    static void follow_probes(Entry& entry, const DiagSocket& socket, Monotonic now);
    [[nodiscard]] Sent first_sent(const Peer& peer, const DiagSocket& socket) const;
    void look_at_others(Peer& peer, const FlowList& list, const PeerKey& key, Monotonic now);
    void show_life(const Peer& peer);
    void plan(Peer& peer, Monotonic now);
    void remember_recovery(const PeerKey& key, Monotonic now);
    [[nodiscard]] bool has_recovered(const PeerKey& key, Monotonic now) const;
    [[nodiscard]] HalfOpenVerdict verdict(const Entry& entry, HalfOpenKind kind,
                                          Monotonic now) const;

    Entries suspects_; ///< by cookie
    std::map<PeerKey, Peer> peers_;
    std::map<PeerKey, Monotonic> recovered_; ///< when a flow last did, after several tries
    std::vector<HalfOpenVerdict> ready_;
    Counts counts_;
};

} // namespace ballast::guards

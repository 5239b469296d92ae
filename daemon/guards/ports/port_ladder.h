// SPDX-License-Identifier: Apache-2.0
// What is to be done in network namespaces whose tuples run out of local ports, from pass to pass.
// Pure.
//
// Invariants
// R1. A rung begins where a tuple needs it and the policy of that tuple names it. Of those that
//     make more ports (all but `flip` and `refuse`) the mildest is first; the next one follows
//     `patience` after it began, or at once where it could not begin or would be of no use.
// R2. It ends where for `quiet` no tuple whose policy names it had `calm_percent` of its ports in
//     use, of those that there were when it began; and at once where the policy of the tuple that
//     it began for names it no more.
// R3. What could not be done is not tried again for `retry_after`.
// R4. While `flip` is in force the parity with more free ports is searched first, but no two flips
//     are less than `shortest` apart.
// R5. Ports that were bound within `remembers` count as bound: a service that restarts, or is
// asleep,
//     comes back to its own.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/guards/ports/flip_pace.h"
#include "daemon/model/policy.h"
#include "daemon/model/port_row.h"

namespace ballast::guards {

/// One thing to do, or to report that it would be done.
struct ReliefOrder {
    enum class Kind {
        begin,
        flip, ///< once more, while `flip` is in force
        end,
    };
    Kind kind = Kind::begin;
    Relief rung = Relief::flip;
    std::uint32_t netns = 0;
    Mode mode = Mode::observe;  ///< only what enforces is done
    TupleKey tuple;             ///< that needs it, or needed it last
    std::uint32_t capacity = 0; ///< its ports
    std::string evidence = {};
    std::uint16_t low = 0; ///< `widen`: the range that is to be; `own_range`: that one
    std::uint16_t high = 0;
    std::vector<Address> sources = {};       ///< `spread`: besides the tuple's own
    std::chrono::milliseconds refuse_for{0}; ///< `refuse`
    /// `tw_reuse`: how old a TIME_WAIT has to be, where the kernel's second is too long; 0: it is
    /// not.
    std::chrono::milliseconds reuse_after{0};
};

class PortLadder {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    static constexpr std::chrono::seconds quiet{60};
    static constexpr std::chrono::seconds patience{5};
    static constexpr std::chrono::minutes retry_after{5};
    static constexpr std::chrono::hours remembers{1};
    static constexpr std::uint32_t calm_percent = 45;
    /// No range is made to begin below it: services are there, and ephemeral ports of others.
    static constexpr std::uint16_t lowest_port = 10'000;
    /// Of a tuple's ports in use, or its wall that near: it needs more of them.
    static constexpr std::uint32_t needy_percent = 90;
    static constexpr std::uint32_t refusing_percent = 95;
    /// A refusal lasts until the next TIME_WAIT ends, within these bounds.
    static constexpr std::chrono::milliseconds shortest_refusal{10};
    static constexpr std::chrono::milliseconds longest_refusal{1'000};
    static constexpr std::chrono::seconds wall_near{30};
    /// Timestamps, by which the peer distinguishes the connections, differ after a millisecond
    /// (net/ipv4/tcp_ipv4.c, tcp_twsk_unique()).
    static constexpr std::chrono::milliseconds soonest_reuse{100};

    /// The rule of the service that governs the endpoint, or of the host where none does.
    using RuleOf = std::function<PortRule(const Endpoint&)>;

    /// Ports that programs are known to serve, or to be asked on, in ascending order: no range is
    /// made to have more of them.
    void avoid(std::vector<std::uint16_t> ports) { avoided_ = std::move(ports); }

    /// Takes what a pass counted and PortBook made of it.
    std::vector<ReliefOrder> read(const PortCount& count, const std::vector<PortRow>& rows,
                                  const RuleOf& rule_of, Monotonic now);

    /// Flips that are due between two passes; call it at next_wake().
    std::vector<ReliefOrder> wake(Monotonic now);
    [[nodiscard]] std::optional<Monotonic> next_wake() const;

    /// What was ordered, or is in force, is not: it could not be done, or somebody undid it.
    void failed(const ReliefOrder& order, Monotonic now);
    /// It is in use, whatever the passes show: they do not see ports outside the range.
    void in_use(const ReliefOrder& order, Monotonic now);

    /// R2, for another policy.
    std::vector<ReliefOrder> end_unnamed(const RuleOf& rule_of);
    std::vector<ReliefOrder> end_all();

private:
    struct Rung {
        Mode mode = Mode::observe;
        Monotonic began;
        Monotonic needed;           ///< last
        std::uint32_t capacity = 0; ///< when it began
        TupleKey tuple;
    };
    struct Step {
        std::optional<Rung> rung;            ///< in force, or reported
        std::optional<Monotonic> not_before; ///< R3
    };
    /// A rung of a namespace, whose source and remote are then empty, or of a tuple.
    struct StepKey {
        TupleKey scope;
        Relief rung;
        auto operator<=>(const StepKey&) const = default; // NOLINT(modernize-use-nullptr)
    };
    /// A tuple that has a good part of its ports in use, and what is said of it.
    struct Needy {
        const TupleCount& tuple;
        const PortRow& row;
        const PortSpace& space;
        PortRule rule;
        std::uint32_t used_by_all = 0; ///< ports of all sources to that destination
    };
    using Ports = std::pair<std::uint16_t, std::uint16_t>; ///< both in it
    static StepKey key_of(Relief rung, const TupleKey& tuple);
    /// The range that there could be; none: hardly more than now.
    [[nodiscard]] std::optional<Ports> wider(const PortSpace& space) const;
    /// The ports that it would have more, those on the side with more of them.
    [[nodiscard]] std::optional<Ports> outside(const PortSpace& space) const;
    [[nodiscard]] bool needs(Relief rung, const Needy& needy) const;
    void look_at(const Needy& needy, Monotonic now, std::vector<ReliefOrder>& orders);
    void look_at(Relief rung, const Needy& needy, Monotonic now, std::vector<ReliefOrder>& orders);
    [[nodiscard]] bool is_next(Relief rung, const Needy& needy, Monotonic now) const;
    [[nodiscard]] ReliefOrder begin_of(Relief rung, const Needy& needy) const;
    void pace(const Needy& needy, const Rung& flip, Monotonic now,
              std::vector<ReliefOrder>& orders);
    void note_neighbours(const PortCount& count, Monotonic now);
    void end_calm(Monotonic now, std::vector<ReliefOrder>& orders);
    [[nodiscard]] const Rung* flip_in(std::uint32_t netns) const;

    std::map<StepKey, Step> steps_;
    std::map<std::uint32_t, FlipPace> paces_; ///< by inode number, while `flip` is in force
    std::vector<std::uint16_t> avoided_;
    /// R5: the bound ports next to a namespace's range, and when they were last so.
    struct Neighbours {
        std::uint16_t below = 0; ///< 0: none
        Monotonic below_at;
        std::uint16_t above = 0; ///< 0: none
        Monotonic above_at;
    };
    std::map<std::uint32_t, Neighbours> neighbours_; ///< by inode number
};

} // namespace ballast::guards

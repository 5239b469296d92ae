// SPDX-License-Identifier: Apache-2.0
// What is to be done in network namespaces whose tuples run out of local ports, from pass to pass.
// Pure.
//
// Invariants
// R1. A rung begins where a tuple needs it and the policy of that tuple names it. Of those that
//     make more ports the mildest is first; the next one follows `patience` after it began, or at
//     once where it could not begin or would be of no use.
// R2. It ends where for `quiet` no tuple whose policy names it had `calm_percent` of its ports in
//     use, of those that there were when it began; and at once where the policy of the tuple that
//     it began for names it no more.
// R3. What could not be done is not tried again for `retry_after`.
// R4. While `flip` is in force the parity with more free ports is searched first, but no two flips
//     are less than `shortest` apart.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
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
    Mode mode = Mode::observe; ///< only what enforces is done
    TupleKey tuple;            ///< that needs it, or needed it last
    std::string evidence = {};
    std::uint16_t low = 0; ///< `widen`: the range that is to be
    std::uint16_t high = 0;
};

class PortLadder {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    static constexpr std::chrono::seconds quiet{60};
    static constexpr std::chrono::seconds patience{5};
    static constexpr std::chrono::minutes retry_after{5};
    static constexpr std::uint32_t calm_percent = 45;
    /// No range is made to begin below it: services are there, and ephemeral ports of others.
    static constexpr std::uint16_t lowest_port = 10'000;
    /// Of a tuple's ports in use, or its wall that near: it needs more of them.
    static constexpr std::uint32_t needy_percent = 90;
    static constexpr std::chrono::seconds wall_near{30};

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

    /// A rung that was to begin, or is in force, is not: it could not be done, or somebody undid
    /// it.
    void failed(std::uint32_t netns, Relief rung, Monotonic now);

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
    struct Space {
        std::array<std::optional<Rung>, kReliefs> rungs;
        std::array<std::optional<Monotonic>, kReliefs> not_before; ///< R3
        FlipPace pace;

        [[nodiscard]] std::optional<Rung>& at(Relief rung) {
            return rungs.at(static_cast<std::size_t>(rung));
        }
        [[nodiscard]] bool may_begin(Relief rung, Monotonic now) const {
            const auto& from = not_before.at(static_cast<std::size_t>(rung));
            return !from || now >= *from;
        }
        [[nodiscard]] bool is_idle() const;
    };
    /// A tuple that has a good part of its ports in use, and what is said of it.
    struct Needy {
        const TupleCount& tuple;
        const PortRow& row;
        const PortSpace& space;
        PortRule rule;
    };
    /// The range that there could be; none: hardly more than now.
    [[nodiscard]] std::optional<std::pair<std::uint16_t, std::uint16_t>>
    wider(const PortSpace& space) const;
    [[nodiscard]] bool needs(Relief rung, const Needy& needy) const;
    void look_at(const Needy& needy, Monotonic now, std::vector<ReliefOrder>& orders);
    [[nodiscard]] bool is_next(Relief rung, Space& space, const Needy& needy, Monotonic now) const;
    [[nodiscard]] ReliefOrder begin_of(Relief rung, const Needy& needy) const;
    static void pace(Space& space, const Needy& needy, bool is_new, Monotonic now,
                     std::vector<ReliefOrder>& orders);
    void end_calm(Monotonic now, std::vector<ReliefOrder>& orders);

    std::map<std::uint32_t, Space> spaces_; ///< by inode number
    std::vector<std::uint16_t> avoided_;
};

} // namespace ballast::guards

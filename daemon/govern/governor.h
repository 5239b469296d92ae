// SPDX-License-Identifier: Apache-2.0
// The gate for every action that changes the host. For breakers, which open in the kernel, that is
// a budget of openings and a hold: if most destinations fail at once, the host's own network is
// suspect, and no guard may act on what it then sees. Pure; time is passed in.
//
// Invariants
// V1  The budget that programs can take from never exceeds what is left of the caps, nor the
//     openings still missing to make the observer suspect: whatever fails at once, no more breakers
//     open than that, even with the daemon dead. The swap that sets the next budget sees what was
//     taken, so nothing is granted twice, whenever and however often programs take. A new daemon
//     begins with full caps.
// V2  While the observer is suspect the budget is 0 and every destination that opened within the
//     window is held closed.
// V3  A hold is released when nothing has been suspect for `release_after`, and by undo_all(); each
//     is on the undo list, once.
// V4  In a dry run everything is decided the same, but the budget put in place is 0.
// V5  While the observer is suspect, by failing connects or by paths that are dead, no flow is
// reset
//     but one that is proven dead: its destination was heard of meanwhile. Nor do caps slow that: a
//     pool of dead connections is no reason to leave half of them to hang.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/govern/path_fault.h"
#include "daemon/govern/rate_cap.h"
#include "daemon/govern/trip_account.h"
#include "daemon/model/policy.h"

namespace ballast::govern {

class Governor {
public:
    using Monotonic = RateCap::Monotonic;

    /// Fewer failing destinations never make the observer suspect.
    static constexpr std::size_t observer_fault_least = PathFault::least;

    /// How a destination's failure was handled.
    enum class Failing {
        withheld, ///< its breaker would have opened, and had no budget or was held
        opened,   ///< at the cost of one from the budget
        reopened, ///< a probe failed, which costs nothing
    };

    /// Puts `wanted` into the word that programs take openings from, if that is `expected`. If not,
    /// sets `expected` to what it is and returns false.
    using Swap = std::function<bool(std::uint32_t& expected, std::uint32_t wanted)>;

    struct Decision {
        std::uint32_t trip_budget = 0;      ///< what was granted
        bool dry_run = false;               ///< it was not granted, and nothing else may be done
        std::vector<std::uint32_t> hold;    ///< destinations whose breaker is to be held closed
        std::vector<std::uint32_t> release; ///< whose hold is to be released
        bool fault_began = false;
        bool fault_ended = false;
        std::size_t failing = 0; ///< destinations that failed within the window
        std::size_t active = 0;
    };

    explicit Governor(const GovernorOptions& options);

    /// After a dry run the undo list is empty: what it names was not done.
    void configure(const GovernorOptions& options);

    void on_failing(std::uint32_t destination, Failing how, Monotonic now);

    /// Decides what to do now; the budget is set through `swap`. `active`: destinations in use
    /// within the window.
    Decision decide(std::size_t active, const Swap& swap, Monotonic now);

    /// Takes a hold that an earlier daemon left on the undo list.
    void adopt_hold(std::uint32_t destination, Monotonic now);

    /// All holds, for a shutdown; the list is empty afterwards.
    std::vector<std::uint32_t> undo_all();

    /// Charges an action of another kind to the overall cap, beside the openings that programs may
    /// still take; false: it must wait.
    bool may_act(Monotonic now) {
        return actions_.left(now) > trips_.outstanding() && actions_.take(1, now) == 1;
    }

    /// Whether a half-open flow may be reset now.
    enum class Leave { granted, caps, observer_fault, dry_run };
    /// Whether its destination answers others.
    enum class Proof { unproven, proven };
    /// Granted ones that are not proven count against both caps.
    Leave leave_to_reset(Proof proof, Monotonic now);

    /// A destination sends nothing, as its flows show.
    void on_dead_path(const PeerKey& peer);
    /// Something was heard of it.
    void on_live_path(const PeerKey& peer);
    /// It has no flows left to show either.
    void on_left_path(const PeerKey& peer, Monotonic now);
    /// Destinations with flows that were in use lately, of which those with a dead path are a part.
    void set_paths(std::size_t paths) { paths_ = paths; }

    /// Dead paths that make the observer suspect; judged anew at each call.
    struct PathHold {
        bool is_held = false;
        std::size_t dead = 0;
        std::size_t paths = 0;
    };
    PathHold judge_paths(Monotonic now);

    [[nodiscard]] bool is_dry_run() const { return options_.dry_run; }
    [[nodiscard]] bool suspects_observer() const { return suspect_; }
    [[nodiscard]] std::size_t holds() const { return held_.size(); }

private:
    void forget_before(Monotonic from);
    [[nodiscard]] std::size_t suspicious(std::size_t active) const;
    void judge(Decision& decision, Monotonic now);
    std::uint32_t budget(std::size_t active, Monotonic now);
    std::uint32_t grant(std::size_t active, const Swap& swap, Monotonic now);
    void charge(std::int64_t openings, Monotonic now);
    void hold_openings(Decision& decision, Monotonic now);

    GovernorOptions options_;
    RateCap actions_;
    RateCap opens_;
    RateCap resets_;
    PathFault dead_paths_;
    std::size_t paths_ = 0;
    TripAccount trips_;
    std::map<std::uint32_t, Monotonic> failing_; ///< last failure, by destination
    std::map<std::uint32_t, Monotonic> opened_;  ///< last opening
    std::set<std::uint32_t> held_;               ///< the undo list
    bool suspect_ = false;
    Monotonic last_suspect_;
};

} // namespace ballast::govern

// SPDX-License-Identifier: Apache-2.0
// Which idle times to try next, so that a path's idle timeout T is known to R percent soon after T.
// Pure.
//
// A flow answers one question: does the path still know it after one gap? So gaps come from a
// ladder with a ratio of r = 1 + R: wherever T is, two neighbours enclose it within R of T. Until a
// flow dies, nothing is known above the longest gap survived, and a flow started after that takes
// another T. To finish soon after T, the flows that will enclose it must be idle long before, and
// as T is not known, a window of them has to move up the ladder.
//
// With M flows idle at a time, each started as soon as another has finished, a gap g starts at
// a * g and ends at (1 + a) * g. Its place is then free for the gap r^M * g: a * r^M = a + 1, so
//
//     a = 1 / (r^M - 1),     one round takes at most  r (1 + a) T = r^(M+1) / (r^M - 1) T.
//
// Fewer flows do better in two rounds: every k-th rung first, which is as above with r^k, and once
// one has died all k - 1 <= M rungs between at once, which takes at most r T more:
//
//     two rounds take at most  r^k (1 + 1 / (r^(kM) - 1)) T + r T.
//
// The stride k from 1 to M + 1 that takes least is chosen. At R = 15%:
//
//     M                1     2     3     4     5     7     9     11    15
//     k                2     3     3     1     1     1     1     1     1
//     at most, in T    6.6   3.8   3.3   2.7   2.3   1.8   1.6   1.46  1.31
//
// One more connection is kept for the witness (discovery.h), so the default of 12 has M = 11. It
// finishes sooner for short timeouts, as the first M rungs are all begun at once. Nothing finishes
// before T, so more flows gain little: what is left is r.
//
// Invariants:
//  1. Rungs rise; a step is at most R of the rung below it, less what timers and polling may add.
//  2. A rung is handed out once at a time, and only between the gaps that survived and died.
//  3. settled() if and only if no rung is left in between.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace ballast::discovery {

using Gap = std::chrono::milliseconds;

/// The shortest gap that is tried; shorter ones say nothing of use (IdleBound::shortest).
constexpr Gap kShortestGap = std::chrono::seconds(2);

/// Gaps from kShortestGap to `longest` (not below it), `percent` (5..100) apart.
std::vector<Gap> idle_ladder(Gap longest, int percent);

/// Most time that a search with that stride takes, in multiples of the timeout: see above.
double most_time(int percent, std::size_t flows, std::size_t stride);

/// The stride that takes least, 1..flows + 1. `flows` is M, at least 1.
std::size_t best_stride(int percent, std::size_t flows);

class GapSearch {
public:
    using Rung = std::size_t;

    GapSearch(std::vector<Gap> ladder, std::size_t stride);

    /// The rung to try next, which is out from now on; nothing while there is none.
    std::optional<Rung> take();
    /// Nothing was learned of it: it may be tried again.
    void give_back(Rung rung);
    void survived(Rung rung);
    /// All rungs up to `gap` are survived.
    void survived_gap(Gap gap);
    void died(Rung rung);
    /// A flow survived longer than another did: whatever died is forgotten.
    void forget_died();

    /// Whether trying the rung can still narrow the result.
    [[nodiscard]] bool open(Rung rung) const { return rung >= low_ && rung < high_; }
    [[nodiscard]] bool settled() const { return low_ == high_; }
    [[nodiscard]] Gap gap(Rung rung) const { return ladder_.at(rung); }

private:
    [[nodiscard]] bool wanted(Rung rung) const;

    std::vector<Gap> ladder_;
    std::vector<bool> out_;
    std::size_t stride_;
    Rung low_ = 0; ///< the lowest that has not survived
    Rung high_;    ///< the lowest that died, or the ladder's size
};

} // namespace ballast::discovery

// SPDX-License-Identifier: Apache-2.0
// What holds for a destination that shares its path with others: what its own flows showed, and
// what all flows of the prefix did, its own among them. Pure.
//
// | own flows      | survived                           | died                               |
// |----------------|------------------------------------|------------------------------------|
// | showed nothing | the prefix's                       | the prefix's                       |
// | lived only     | the greater one; its own while the | the prefix's, unless its own flows |
// |                | prefix's is unsettled              | lived through twice as much        |
// | were dropped   | its own                            | the smaller one, with the same     |
// |                |                                    | exception                          |
//
// Invariants:
//  1. survived < died wherever both are known. What overlaps counts half of died, unsettled.
//  2. Own evidence wins: what its own flows lived through is not given up for a neighbour's drop
//     after less than half of that; and once its own flows were dropped, no probe comes later for
//     what neighbours' flows lived through.
//  3. A drop is heeded: died is never later than its own, nor than the prefix's where nothing of
//     its own speaks against it. Less than twice as much does not: a drop is told with the silence
//     that the sweep before saw, which may be far shorter where silences are.
//  4. Where the prefix knows nothing, or no more, the destination has its own bracket unchanged.
#pragma once

#include "daemon/guards/idle_bound.h"

namespace ballast::guards {

/// So many times a neighbour's died says that it does not hold here.
inline constexpr int outliving = 2;

struct SharedBracket {
    IdleBracket bracket;
    bool is_shared = false; ///< either number of it is the prefix's, not the destination's own
};

/// `own` and `prefix`: each with survived < died.
SharedBracket share(const IdleBracket& own, const IdleBracket& prefix);

} // namespace ballast::guards

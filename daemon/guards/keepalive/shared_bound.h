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
//  1. survived < died wherever both are known. An overlap counts as half of died, unsettled.
//  2. Own evidence wins: what its own flows survived is not given up for a neighbour's drop after
//     less than half of that; and once its own flows were dropped, no probe comes later because of
//     what neighbours' flows survived.
//  3. A drop is heeded: died is never later than its own, nor than the prefix's unless its own
//     evidence contradicts it. Less than twice as much does not: a drop is reported with the
//     silence seen by the sweep before, which may be far shorter if silences are.
//  4. If the prefix knows nothing, or no more, the destination's own bracket is unchanged.
#pragma once

#include "daemon/guards/keepalive/idle_bound.h"

namespace ballast::guards {

/// Surviving this multiple of a neighbour's died shows that it does not hold here.
inline constexpr int outliving = 2;

struct SharedBracket {
    IdleBracket bracket;
    bool is_shared = false; ///< either number of it is the prefix's, not the destination's own
};

/// `own` and `prefix`: each with survived < died.
SharedBracket share(const IdleBracket& own, const IdleBracket& prefix);

} // namespace ballast::guards

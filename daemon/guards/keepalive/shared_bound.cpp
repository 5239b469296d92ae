// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/keepalive/shared_bound.h"

namespace ballast::guards {

namespace {

using Known = std::optional<std::chrono::milliseconds>;

/// No own evidence contradicts the prefix's drop, and the drop is sooner.
bool is_heeded(const IdleBracket& own, const Known& died) {
    const bool was_lived_through = own.survived && died && *own.survived >= outliving * *died;
    const bool is_sooner = died && (!own.died || *died < *own.died);
    return is_sooner && !was_lived_through;
}

/// Neighbours' flows are trusted until one of its own is dropped.
bool is_trusted(const IdleBracket& own, const IdleBracket& prefix) {
    if (own.died || !prefix.survived || (prefix.unsettled && own.survived))
        return false;
    return !own.survived || *prefix.survived > *own.survived;
}

} // namespace

SharedBracket share(const IdleBracket& own, const IdleBracket& prefix) {
    SharedBracket shared{own};
    if (is_trusted(own, prefix)) {
        shared.bracket.survived = prefix.survived;
        shared.bracket.unsettled = prefix.unsettled;
        shared.is_shared = true;
    }
    if (is_heeded(own, prefix.died)) {
        shared.bracket.died = prefix.died;
        shared.is_shared = true;
        if (shared.bracket.survived >= prefix.died) { // as IdleBound treats an overlap
            shared.bracket.survived = *prefix.died / 2;
            shared.bracket.unsettled = true;
        }
    }
    return shared;
}

} // namespace ballast::guards

// SPDX-License-Identifier: Apache-2.0
// Reliefs of whole network namespaces, by their sysctls.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "daemon/act/space_relief.h"
#include "daemon/guards/ports/port_ladder.h"
#include "daemon/guards/ports/wiring/relief_rungs.h"

namespace ballast::guards {

class SpaceReliefs {
public:
    /// `list` outlives the object.
    explicit SpaceReliefs(act::UndoList& list) : list_(list) {}

    Result<void> begin(const ReliefOrder& order);
    /// Once more, where `flip` is in force.
    Result<void> flip(const ReliefOrder& order);
    [[nodiscard]] bool has(const ReliefOrder& order) const;
    /// Takes it back and forgets it, where it is in force.
    Result<void> end(const ReliefOrder& order);
    /// Forgets it.
    void drop(const ReliefOrder& order);

    /// Ends that are due, since something on the way objects (syn_objection.h).
    std::vector<ReliefOrder> objected_to();

    /// Flips, of all namespaces, but the first of each.
    [[nodiscard]] std::uint64_t flips() const { return flips_; }
    void add_rows(std::vector<ReliefRow>& rows) const;

private:
    struct Space {
        act::SpaceRelief relief;
        ReliefRungs rungs;
    };
    act::UndoList& list_;
    std::map<std::uint32_t, Space> spaces_; ///< by inode number
    std::uint64_t flips_ = 0;
};

} // namespace ballast::guards

// SPDX-License-Identifier: Apache-2.0
// Does what the ladder orders, as far as policy and governor let it, and reports it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/act/undo_list.h"
#include "daemon/findings/findings.h"
#include "daemon/guards/guard.h"
#include "daemon/guards/ports/port_ladder.h"
#include "daemon/guards/ports/wiring/space_reliefs.h"
#include "daemon/guards/ports/wiring/tuple_reliefs.h"
#include "daemon/util/event_loop.h"

namespace ballast::guards {

class PortReliever {
public:
    /// Takes back what an earlier daemon left; where that cannot be known, reports it and begins
    /// anew.
    static Result<std::unique_ptr<PortReliever>> make(const Surroundings& around);

    void read(const PortCount& count, const std::vector<PortRow>& rows);
    void changed(const PolicyInForce& now);
    /// Takes back everything.
    void stop();

    void report(PortsStatus& status) const;
    [[nodiscard]] std::vector<ReliefRow> rows() const;

private:
    PortReliever(const Surroundings& around, act::UndoList list);

    void carry_out(const std::vector<ReliefOrder>& orders);
    void begin(const ReliefOrder& order);
    void flip_again(const ReliefOrder& order);
    void end(const ReliefOrder& order);
    void give_up(const std::vector<ReliefOrder>& orders);
    void drop(const ReliefOrder& order);
    void withhold(const ReliefOrder& order, const std::string& why);
    void add(findings::Reason reason, const ReliefOrder& order, const std::string& evidence,
             std::optional<bool> acted);
    void arm();

    policy::PolicyPublisher& policy_;
    Guarded<govern::Governor>& governor_;
    findings::Findings& findings_;
    act::UndoList list_; ///< before those that use it
    PortLadder ladder_;
    SpaceReliefs spaces_;
    TupleReliefs tuples_;
    EventSource timer_;
    std::uint64_t withheld_ = 0;
};

} // namespace ballast::guards

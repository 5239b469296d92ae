// SPDX-License-Identifier: Apache-2.0
// Does what the ladder orders, as far as policy and governor let it, and reports it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/act/space_relief.h"
#include "daemon/act/undo_list.h"
#include "daemon/findings/findings.h"
#include "daemon/guards/guard.h"
#include "daemon/guards/ports/port_ladder.h"
#include "daemon/util/event_loop.h"

namespace ballast::guards {

class PortReliever {
public:
    /// Takes back what an earlier daemon left. Fails where that cannot be known.
    static Result<std::unique_ptr<PortReliever>> make(const Surroundings& around);

    void read(const PortCount& count, const std::vector<PortRow>& rows);
    void changed(const PolicyInForce& now);
    /// Takes back everything.
    void stop();

    void report(PortsStatus& status) const;
    [[nodiscard]] std::vector<ReliefRow> rows() const;

private:
    struct InForce {
        std::chrono::steady_clock::time_point began;
        std::uint64_t flips = 0;
        std::optional<act::SynCounts> syns; ///< `tw_reuse`: when it began
    };
    struct Space {
        act::SpaceRelief relief;
        std::array<std::optional<InForce>, kReliefs> rungs;
    };
    PortReliever(const Surroundings& around, act::UndoList list);

    void carry_out(const std::vector<ReliefOrder>& orders);
    void begin(const ReliefOrder& order);
    void flip_again(const ReliefOrder& order);
    void end(const ReliefOrder& order);
    Result<void> do_begin(const ReliefOrder& order);
    static Result<void> do_end(act::SpaceRelief& relief, Relief rung);
    void withhold(const ReliefOrder& order, const std::string& why);
    void add(findings::Reason reason, const ReliefOrder& order, const std::string& evidence,
             std::optional<bool> acted);
    void drop(std::uint32_t netns, Relief rung);
    void watch_reuse();
    void arm();

    policy::PolicyPublisher& policy_;
    Guarded<govern::Governor>& governor_;
    findings::Findings& findings_;
    act::UndoList list_; ///< outlives spaces_
    PortLadder ladder_;
    std::map<std::uint32_t, Space> spaces_; ///< by inode number
    EventSource timer_;
    std::uint64_t flips_ = 0;
    std::uint64_t withheld_ = 0;
};

} // namespace ballast::guards

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
#include "daemon/kernel/connect_relief.h"
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
    struct InForce {
        std::chrono::steady_clock::time_point began;
        std::uint64_t flips = 0;
        std::optional<act::SynCounts> syns; ///< `tw_reuse`: when it began
    };
    using Rungs = std::array<std::optional<InForce>, kReliefs>;
    struct Space {
        act::SpaceRelief relief;
        Rungs rungs;
    };
    struct Tuple {
        kernel::ConnectRelief::Key key;
        kernel::ConnectRelief::Rule rule;
        kernel::ConnectRelief::Counts counts; ///< by the last pass
        std::chrono::steady_clock::time_point counted;
        std::uint32_t capacity = 0;
        kernel::NetNamespace where; ///< `reap`
        std::uint64_t reaped = 0;
        Rungs rungs;
    };
    PortReliever(const Surroundings& around, act::UndoList list);

    void carry_out(const std::vector<ReliefOrder>& orders);
    void begin(const ReliefOrder& order);
    void flip_again(const ReliefOrder& order);
    void end(const ReliefOrder& order);
    Result<void> begin_in_space(const ReliefOrder& order);
    Result<void> begin_for_tuple(const ReliefOrder& order);
    static Result<void> end_in_space(act::SpaceRelief& relief, Relief rung);
    void end_for_tuple(const ReliefOrder& order);
    [[nodiscard]] std::optional<InForce>* find(const ReliefOrder& order);
    void withhold(const ReliefOrder& order, const std::string& why);
    void add(findings::Reason reason, const ReliefOrder& order, const std::string& evidence,
             std::optional<bool> acted);
    void drop(const ReliefOrder& order);
    void watch_reuse();
    void watch_tuples(const std::vector<PortRow>& rows);
    void watch_rule(const TupleKey& key, Tuple& tuple, const PortRow* row);
    Result<void> reap_some(const TupleKey& key, Tuple& tuple, std::uint32_t used,
                           std::uint32_t opens_per_s);
    void add_uses(ReliefRow& row, const Tuple& tuple) const;
    void arm();

    kernel::Instance& instance_;
    policy::PolicyPublisher& policy_;
    Guarded<govern::Governor>& governor_;
    findings::Findings& findings_;
    act::UndoList list_; ///< outlives spaces_
    PortLadder ladder_;
    std::map<std::uint32_t, Space> spaces_; ///< by inode number
    std::map<TupleKey, Tuple> tuples_;
    std::unique_ptr<kernel::ConnectRelief> connect_; ///< while there are tuples
    EventSource timer_;
    std::uint64_t flips_ = 0;
    std::uint64_t withheld_ = 0;
};

} // namespace ballast::guards

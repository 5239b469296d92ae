// SPDX-License-Identifier: Apache-2.0
// Reliefs of single tuples: at connect(), and by ending what is in TIME_WAIT.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "daemon/act/space_relief.h"
#include "daemon/guards/ports/port_ladder.h"
#include "daemon/guards/ports/wiring/relief_rungs.h"
#include "daemon/kernel/connect_relief.h"
#include "daemon/kernel/instance.h"

namespace ballast::guards {

class TupleReliefs {
public:
    /// Both outlive the object.
    TupleReliefs(kernel::Instance& instance, act::UndoList& list)
        : instance_(instance), list_(list) {}

    Result<void> begin(const ReliefOrder& order);
    [[nodiscard]] bool has(const ReliefOrder& order) const;
    /// Takes it back and forgets it, where it is in force.
    void end(const ReliefOrder& order);
    /// Forgets it.
    void drop(const ReliefOrder& order);

    /// What a pass is followed by: reaps, where `may_act` lets it, and lets the ladder know what is
    /// in use. Returns the ends of what failed, or is objected to (syn_objection.h).
    std::vector<ReliefOrder> follow(const std::vector<PortRow>& rows, PortLadder& ladder,
                                    const std::function<bool()>& may_act);

    void add_rows(std::vector<ReliefRow>& rows) const;

private:
    struct Tuple {
        kernel::ConnectRelief::Key key;
        kernel::ConnectRelief::Rule rule;
        kernel::ConnectRelief::Counts counts; ///< by the last pass
        std::chrono::steady_clock::time_point counted;
        std::uint32_t capacity = 0;
        kernel::NetNamespace where;
        std::uint64_t reaped = 0;
        ReliefRungs rungs;
    };
    Result<void> put(const ReliefOrder& order, Tuple& tuple);
    static Result<void> reap_some(const TupleKey& key, Tuple& tuple, const PortRow& row,
                                  const std::function<bool()>& may_act);
    static void add_objections(const TupleKey& key, const Tuple& tuple,
                               std::vector<ReliefOrder>& ends);
    void follow_rule(const TupleKey& key, Tuple& tuple, const PortRow* row, PortLadder& ladder);
    void add_uses(ReliefRow& row, const Tuple& tuple) const;

    kernel::Instance& instance_;
    act::UndoList& list_;
    std::map<TupleKey, Tuple> tuples_;
    std::unique_ptr<kernel::ConnectRelief> connect_; ///< while a tuple has a rule
};

} // namespace ballast::guards

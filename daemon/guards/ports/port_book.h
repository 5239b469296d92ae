// SPDX-License-Identifier: Apache-2.0
// What is known of the local ports of every tuple, from one pass to the next: its state, and what
// is to be said of it. Pure.
//
// Invariants
// B1. A finding is made where a tuple becomes worse than before (filling, knee, exhausted), each
//     state once until it is well again, and where it has been well for `quiet`.
// B2. `filling` takes two passes in a row, and a forecast that is more than a guess.
// B3. bind_before_connect is made once a namespace, where `bound_from` connections or more come
//     from ports that their programs had bound, and again where that had ended for `quiet`.
//     close_wait_leak is made once a tuple, where `leaked_from` or more wait to be closed, for
//     `leaks_for` none of them was, and others joined them: a pool whose peer has restarted closes
//     its own when it next uses them. It is made again once they were closed.
// B4. Tuples with less than a 64th of their capacity in use and without a finding are not
//     remembered: a crawler has a hundred thousand.
// B5. churn and fin_wait2_build_up are made where what they report of has lasted for `lasts_for`,
// and
//     again where it had ended for `quiet`: connections that are opened and closed at once, so that
//     a quarter of the ports or more are in TIME_WAIT; and those that the peer does not close.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/guards/ports/port_forecast.h"
#include "daemon/model/finding.h"
#include "daemon/model/port_row.h"

namespace ballast::guards {

class PortBook {
public:
    using Monotonic = PortTrend::Monotonic;

    /// A forecast of the knee or the wall matters if it is that near.
    static constexpr std::chrono::minutes warns_before{5};
    static constexpr std::chrono::seconds quiet{60};
    static constexpr std::uint32_t bound_from = 50;
    static constexpr std::uint32_t leaked_from = 64;
    static constexpr std::chrono::seconds leaks_for{60};
    static constexpr std::chrono::seconds lasts_for{30};
    static constexpr std::uint32_t churn_from = 20;       ///< connections opened a second
    static constexpr std::uint32_t half_closed_from = 64; ///< in FIN_WAIT2
    /// Findings of one pass; more are counted.
    static constexpr std::size_t most_findings = 50;

    /// The path of a cgroup, empty where it is gone.
    using ConsumerName = std::function<std::string(std::uint64_t cgroup)>;

    /// Takes what a pass counted. `name` is called for what gets a finding.
    std::vector<Finding> read(const PortCount& count, Monotonic now, const ConsumerName& name);

    /// By the last pass, those with a consumer's or a service's name left for others to fill in.
    [[nodiscard]] const std::vector<PortRow>& rows() const { return rows_; }
    /// The worst state of all.
    [[nodiscard]] PortState worst() const;
    /// Whether some tuple's knee or wall is near, by a forecast of whatever confidence.
    [[nodiscard]] bool is_any_foretold() const;
    /// Findings that were left out.
    [[nodiscard]] std::uint64_t coalesced() const { return coalesced_; }

private:
    /// Something that is reported once it has lasted, B5.
    struct Lasting {
        std::optional<Monotonic> since = {};
        Monotonic last;
        bool is_reported = false;

        /// Whether it is to be reported now.
        bool note(bool is_so, Monotonic now);
    };
    struct Known {
        PortTrend trend;
        PortState reported = PortState::ok; ///< worst since it was well
        PortState last = PortState::ok;
        Monotonic bad_at;
        std::uint32_t pass = 0;
        std::uint32_t close_wait = 0;              ///< by the last pass
        std::optional<Monotonic> leaks_since = {}; ///< never fewer since
        std::uint32_t leaked_before = 0;           ///< then
        bool is_leak_reported = false;
        Lasting churn;
        Lasting half_closed;
    };
    /// What the findings of a pass are made with.
    struct Reporting {
        std::vector<Finding>& findings;
        const ConsumerName& name;
        Monotonic now;
    };
    static PortRow row_of(const TupleCount& tuple, const PortSpace& space, PortTrend* trend,
                          const PortCount& count);
    void read_tuple(const TupleCount& tuple, const PortSpace& space, const PortCount& count,
                    const Reporting& reporting);
    void judge(const PortRow& row, Known& known, const Reporting& reporting);
    void judge_leak(const PortRow& row, Known& known, const Reporting& reporting);
    void judge_habits(const PortRow& row, Known& known, const Reporting& reporting);
    void judge_binder(const PortSpace& space, const Reporting& reporting);
    void forget_gone(std::uint32_t pass, const Reporting& reporting);
    void add(const Reporting& reporting, findings::Reason reason, const PortRow& row);
    void add(const Reporting& reporting, Finding made);

    std::map<TupleKey, Known> known_;
    std::map<std::uint32_t, Monotonic> bound_at_; ///< B3, by namespace: when it was last so
    std::vector<PortRow> rows_;
    std::uint64_t coalesced_ = 0;
};

} // namespace ballast::guards

// SPDX-License-Identifier: Apache-2.0
// What is known of the local ports of every tuple, from one pass to the next: its state, and what
// is to be reported of it. Pure.
//
// Invariants
// B1. A finding is made where a tuple becomes worse than before (filling, knee, exhausted), each
//     state once until it is well again, and where it has been well for `quiet`.
// B2. `filling` takes two passes in a row, and a forecast that is more than a guess.
// B3. Tuples with less than a 64th of their capacity in use and without a finding are not
//     remembered: a crawler has a hundred thousand.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/guards/ports/port_advice.h"
#include "daemon/guards/ports/port_findings.h"
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

    /// Takes what a pass counted. `name` is called for what gets a finding.
    std::vector<Finding> read(const PortCount& count, Monotonic now, const ConsumerName& name);

    /// By the last pass, those with a consumer's or a service's name left for others to fill in.
    [[nodiscard]] const std::vector<PortRow>& rows() const { return rows_; }
    /// The worst state of all.
    [[nodiscard]] PortState worst() const;
    /// Whether some tuple's knee or wall is near, by a forecast of whatever confidence.
    [[nodiscard]] bool is_any_foretold() const;
    /// Connects after which some tuple could be half-way from what the rows say to its knee or
    /// wall, so that another pass is due. At least 1.
    [[nodiscard]] std::uint32_t allowance() const;
    /// Findings that were left out.
    [[nodiscard]] std::uint64_t coalesced() const { return coalesced_; }

private:
    struct Known {
        PortTrend trend;
        PortState reported = PortState::ok; ///< worst since it was well
        PortState last = PortState::ok;
        Monotonic bad_at;
        std::uint32_t pass = 0;
    };
    /// What the findings of a pass are made with.
    struct Reporting {
        PortFindings& findings;
        Monotonic now;
    };
    static PortRow row_of(const TupleCount& tuple, const PortSpace& space, PortTrend* trend,
                          const PortCount& count);
    void read_tuple(const TupleCount& tuple, const PortSpace& space, const PortCount& count,
                    const Reporting& reporting);
    void judge(const PortRow& row, Known& known, const Reporting& reporting);
    void forget_gone(std::uint32_t pass, const Reporting& reporting);

    std::map<TupleKey, Known> known_;
    PortAdvice advice_;
    std::vector<PortRow> rows_;
    std::uint32_t least_capacity_ = 0; ///< of all namespaces
    std::uint64_t coalesced_ = 0;
};

} // namespace ballast::guards

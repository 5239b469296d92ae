// SPDX-License-Identifier: Apache-2.0
// What is to be reported of shedding, from what is counted once a second. Pure.
//
// Invariants
// D1. Shedding begins with the first SYN that is shed, and is over once none was for `quiet`: one
//     finding each, however often it goes on and off in between.
// D2. What would be shed, where nothing enforces, is reported as that; when it is enforced
//     afterwards, that begins anew.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "daemon/model/finding.h"
#include "daemon/model/shed_row.h"

namespace ballast::guards {

class ShedWatch {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    static constexpr std::chrono::seconds quiet{60};

    /// Takes the counts of all rules.
    std::vector<Finding> read(const std::vector<ShedRow>& rows, Monotonic now);

private:
    struct Known {
        ShedCounts counts; ///< as of the last look
        ShedCounts began;  ///< when shedding began
        bool is_shedding = false;
        bool is_enforced = false;
        Monotonic shed_at;
    };
    static Finding made(findings::Reason reason, const ShedRow& row, const ShedCounts& since);
    static void judge(const ShedRow& row, Known& known, Monotonic now, std::vector<Finding>& all);

    std::map<std::string, Known> known_; ///< by the rule's name
};

} // namespace ballast::guards

// SPDX-License-Identifier: Apache-2.0
// Which reliefs are in force, in one namespace or for one tuple, and why one is not.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "daemon/act/space_relief.h"
#include "daemon/model/port_row.h"
#include "daemon/util/clock.h"
#include "daemon/util/error.h"

namespace ballast::guards {

/// What findings call the reason that something could not be done.
inline std::string why_of(const Error& error) {
    switch (error.errno_value()) {
    case ENOENT:
        return "no_process";
    case ECANCELED:
        return "overridden";
    case EALREADY:
        return "done_already";
    default:
        return "failed";
    }
}

struct InForce {
    std::chrono::steady_clock::time_point began = now();
    std::uint64_t flips = 0;                 ///< `flip`: again, since it began
    std::optional<act::SynCounts> syns = {}; ///< of the namespace, when it began
};

class ReliefRungs {
public:
    [[nodiscard]] std::optional<InForce>& at(Relief relief) {
        return rungs_.at(static_cast<std::size_t>(relief));
    }
    [[nodiscard]] const std::optional<InForce>& at(Relief relief) const {
        return rungs_.at(static_cast<std::size_t>(relief));
    }
    [[nodiscard]] bool empty() const {
        return std::ranges::none_of(rungs_, [](const auto& one) { return one.has_value(); });
    }
    /// A row of each that is in force, with its age and flips, for act(row) to complete.
    template <typename Act>
    void each_row(std::uint32_t netns, Act act) const {
        for (const Relief relief : kAllReliefs)
            if (const auto& rung = at(relief)) {
                ReliefRow row;
                row.netns = netns;
                row.relief = relief;
                row.age =
                    std::chrono::duration_cast<std::chrono::milliseconds>(now() - rung->began);
                row.uses = rung->flips;
                act(row);
            }
    }

private:
    std::array<std::optional<InForce>, kReliefs> rungs_;
};

} // namespace ballast::guards

// SPDX-License-Identifier: Apache-2.0
// The guards of one thread: what is said to the set is said to each of them, in the table's order.
#pragma once

#include <memory>
#include <vector>

#include "daemon/guards/guard.h"

namespace ballast::guards {

class GuardSet final {
public:
    void add(std::unique_ptr<Guard> guard) { guards_.push_back(std::move(guard)); }

    /// As Guard says.
    void changed(const PolicyInForce& now);
    void observe(std::span<const SweptFlow> flows);
    void end_sweep(const SweepSummary& summary);
    void on_verdict(const HalfOpenVerdict& verdict);
    void wake();
    void report(DaemonStatus& status) const;
    void stop();

    /// The guard of that class; nullptr: the set has none.
    template <class G>
    [[nodiscard]] G* find() const {
        for (const auto& guard : guards_)
            if (auto* found = dynamic_cast<G*>(guard.get()))
                return found;
        return nullptr;
    }

private:
    std::vector<std::unique_ptr<Guard>> guards_;
};

} // namespace ballast::guards

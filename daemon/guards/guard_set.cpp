// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/guard_set.h"

namespace ballast::guards {

void GuardSet::changed(const PolicyInForce& now) {
    for (const auto& guard : guards_)
        guard->changed(now);
}

void GuardSet::observe(std::span<const SweptFlow> flows) {
    for (const auto& guard : guards_)
        guard->observe(flows);
}

void GuardSet::end_sweep(const SweepSummary& summary) {
    for (const auto& guard : guards_)
        guard->end_sweep(summary);
}

void GuardSet::on_verdict(const HalfOpenVerdict& verdict) {
    for (const auto& guard : guards_)
        guard->on_verdict(verdict);
}

void GuardSet::wake() {
    for (const auto& guard : guards_)
        guard->wake();
}

void GuardSet::report(DaemonStatus& status) const {
    for (const auto& guard : guards_)
        guard->report(status);
}

void GuardSet::stop() {
    for (const auto& guard : guards_)
        guard->stop();
}

} // namespace ballast::guards

// SPDX-License-Identifier: Apache-2.0
// Reports to a destination's breaker what no program sees: a flow to it that was found half-open.
#pragma once

#include <cstdint>

#include "daemon/kernel/maps.h"
#include "daemon/util/address.h"

namespace ballast::kernel {

class FailureReport {
public:
    /// `program` is Programs::report_program(). Both must outlive the report.
    FailureReport(const Maps& maps, int program) : maps_(maps), program_(program) {}

    /// A flow to `remote` that service `id` governs is half-open. Nothing to do for a destination
    /// that Ballast does not know, or no longer knows.
    Result<void> half_open_flow(std::uint16_t id, const Endpoint& remote) const;

private:
    const Maps& maps_;
    int program_;
};

} // namespace ballast::kernel

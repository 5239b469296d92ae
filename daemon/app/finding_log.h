// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/findings/findings.h"

namespace ballast::app {

/// The daemon's log: critical findings are errors there, all others warnings.
class FindingLog final : public findings::Outlet {
public:
    [[nodiscard]] findings::Recent::Now now() const override;
    void write(findings::Severity severity, std::string_view line) override;
};

} // namespace ballast::app

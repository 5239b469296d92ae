// SPDX-License-Identifier: Apache-2.0
// Reads one [[service]] table.
#pragma once

#include "daemon/config/document.h"
#include "daemon/config/table_reader.h"

namespace ballast {

/// Never fails as a whole: wrong keys are reported and left out.
ServiceEntry read_service(const toml::table& table, const std::string& file, ProblemList& errors,
                          ProblemList& warnings);

} // namespace ballast

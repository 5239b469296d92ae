// SPDX-License-Identifier: Apache-2.0
// Reads the breaker table of a service.
#pragma once

#include "daemon/config/document.h"
#include "daemon/config/table_reader.h"

namespace ballast {

/// Reads into `entry.row.breaker` and `entry.breaker_mode`; the rest of the entry has been read.
void read_breaker(const TableReader& reader, ServiceEntry& entry, ProblemList& warnings);

} // namespace ballast

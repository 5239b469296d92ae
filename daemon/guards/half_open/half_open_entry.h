// SPDX-License-Identifier: Apache-2.0
// Reads the half_open table of a service.
#pragma once

#include "daemon/config/document.h"
#include "daemon/config/table_reader.h"

namespace ballast {

/// Reads into `entry.row.half_open` and `entry.half_open_mode`.
void read_half_open(const TableReader& reader, ServiceEntry& entry, ProblemList& warnings);

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
// Reads the arrays of a service: `to` and `from`.
#pragma once

#include "daemon/config/document.h"
#include "daemon/config/table_reader.h"

namespace ballast {

/// Reads `to` into `entry.to` and `entry.to_names`.
void read_targets(const TableReader& reader, ServiceEntry& entry);

/// Reads `from` into `entry.from`; an element that is repeated is a warning and left out.
void read_from(const TableReader& reader, ServiceEntry& entry, ProblemList& warnings);

} // namespace ballast

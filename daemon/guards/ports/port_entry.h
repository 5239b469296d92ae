// SPDX-License-Identifier: Apache-2.0
// Reads what may be done for tuples that run out of local ports.
#pragma once

#include "daemon/config/document.h"
#include "daemon/config/table_reader.h"

namespace ballast {

/// The table [ports], which is for all that no service says otherwise for.
void read_ports(const TableReader& reader, PortRule& host);

/// The ports table of a service: into `entry.ports_mode`, `entry.relief` and
/// `entry.source_pool`.
void read_ports(const TableReader& reader, ServiceEntry& entry, ProblemList& warnings);

} // namespace ballast

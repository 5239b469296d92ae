// SPDX-License-Identifier: Apache-2.0
// Reads which SYNs are shed: [listeners] and [[listener]].
#pragma once

#include "daemon/config/document.h"
#include "daemon/config/table_reader.h"

namespace ballast {

/// The table [listeners].
void read_listeners(const TableReader& reader, ListenerOptions& options);

/// One [[listener]]. Never fails as a whole: wrong keys are reported and left out.
ListenerEntry read_listener(const TableReader& reader, ProblemList& warnings);

/// Compares entries of all files: reports names given twice, addresses that two guard, and more of
/// them than the maps hold. Without conflicts, and with `options` as of the last file, the rules.
std::vector<ListenerRule> listener_rules(const std::vector<ListenerEntry>& entries,
                                         const ListenerOptions& options, ProblemList& errors,
                                         ProblemList& warnings);

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
// Reads what a service says of keepalive: "auto", "off", or a table.
#pragma once

#include <string>

#include "daemon/config/document.h"
#include "daemon/config/table_reader.h"

namespace ballast {

/// Where messages go.
struct KeepaliveComplaints {
    const std::string& file;
    ProblemList& errors;
    ProblemList& warnings;
};

/// Reads key `keepalive`, whose value is `node` (null: absent), and `keepalive_start` into
/// `entry.row.keepalive` and `entry.keepalive_mode`.
void read_keepalive(const TableReader& service, const toml::node* node,
                    const KeepaliveComplaints& complaints, ServiceEntry& entry);

} // namespace ballast

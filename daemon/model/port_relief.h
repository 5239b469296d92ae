// SPDX-License-Identifier: Apache-2.0
// What would help a tuple that runs out of local ports most, and by how much.
#pragma once

#include <string>

#include "daemon/model/port_row.h"

namespace ballast {

/// One line, with the command where there is one; empty where nothing is wrong.
std::string relief_of(const PortRow& row);

} // namespace ballast

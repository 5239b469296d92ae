// SPDX-License-Identifier: Apache-2.0
// The outcome as the table of docs/keepalive.md.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/run.h"

namespace ballast::sim {

/// Markdown, one line for each path, ending with a newline.
std::string table(const std::vector<Row>& rows);

} // namespace ballast::sim

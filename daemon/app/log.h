// SPDX-License-Identifier: Apache-2.0
// Where messages go: the journal when systemd connected our stderr to it, else stderr.
#pragma once

#include <string>

namespace ballast::app {

/// `level` is one of debug, info, warning, error.
void start_log(const std::string& level);

} // namespace ballast::app

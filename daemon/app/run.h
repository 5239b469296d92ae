// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ballast::app {

/// All of ballastd: its command line, then the check of a policy or the daemon. The exit code.
int run(int argc, char** argv);

} // namespace ballast::app

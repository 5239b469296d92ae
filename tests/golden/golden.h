// SPDX-License-Identifier: Apache-2.0
// Output that is compared with a file next to the test: expected/NAME.txt. With
// BALLAST_GOLDEN_WRITE set to a directory the files are written there instead.
#pragma once

#include <string>

namespace ballast::test {

/// Fails the test, showing both, unless `got` is what the file holds.
void check_golden(const std::string& name, const std::string& got);

/// Where the test and its files are staged.
std::string golden_dir();

} // namespace ballast::test

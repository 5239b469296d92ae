// SPDX-License-Identifier: Apache-2.0
// The ways a connection can fail, and the finding for each.
#pragma once

#include "tests/e2e/half_open_place.h"

namespace ballast::test {

void add_matrix(Suite& suite);

} // namespace ballast::test

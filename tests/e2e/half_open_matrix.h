// SPDX-License-Identifier: Apache-2.0
// What can happen to a connection, and what is said of it.
#pragma once

#include "tests/e2e/half_open_place.h"

namespace ballast::test {

void add_matrix(Suite& suite);

} // namespace ballast::test

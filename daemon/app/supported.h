// SPDX-License-Identifier: Apache-2.0
// What the policy language has and this version cannot do: refused, never passed over in silence.
#pragma once

#include "daemon/model/policy.h"
#include "daemon/util/error.h"

namespace ballast::app {

/// Fails with the first service, and where it is defined, that asks for something not there yet.
Result<void> check_supported(const Policy& policy);

} // namespace ballast::app

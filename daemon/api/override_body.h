// SPDX-License-Identifier: Apache-2.0
// The body of PUT /v1/limits/{target}, validated whole before anything is changed. Pure.
#pragma once

#include <string_view>

#include "daemon/model/override.h"
#include "daemon/util/error.h"

namespace ballast::api {

/// {"max_connections": 1..kMaxConnections, "mode": "...", "on_limit": "..."}: at least one of them,
/// nothing else. Fills the fields it names; target, set_by and set_at are the caller's.
Result<Override> parse_override_body(std::string_view body);

} // namespace ballast::api

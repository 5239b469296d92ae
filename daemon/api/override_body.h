// SPDX-License-Identifier: Apache-2.0
// The body of PUT /v1/limits/{target}, validated whole before anything is changed. Pure.
#pragma once

#include <string_view>

#include "daemon/model/override.h"
#include "daemon/model/snapshot.h"
#include "daemon/util/error.h"

namespace ballast::api {

/// The limits of a service by their names in the policy, each in its range there, "mode" and
/// "on_limit": at least one of them; and "lasts_ms", kMinOverride..kMaxOverride, after which it
/// expires, reckoned from `now`. Nothing else. Fills the fields it names; target, set_by and set_at
/// are the caller's.
Result<Override> parse_override_body(std::string_view body, WallTime now);

} // namespace ballast::api

// SPDX-License-Identifier: Apache-2.0
// Common to all request bodies: a JSON object whose members are checked one by one.
#pragma once

#include <string_view>

#include "daemon/api/json.h"
#include "daemon/util/error.h"

namespace ballast::api {

/// The object with its members; fails, with `form` as the hint, on anything else and on an empty
/// one.
Result<Json> parse_object(std::string_view body, std::string_view form);

/// "KEY: VALUE is not ACCEPTED".
Error bad_value(std::string_view key, const Json& value, std::string_view accepted);

Error unknown_key(std::string_view key, std::string_view form);

} // namespace ballast::api

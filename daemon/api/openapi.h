// SPDX-License-Identifier: Apache-2.0
// docs/openapi.json, as it was when this binary was built.
#pragma once

#include <string_view>

namespace ballast::api {

std::string_view openapi_text();

} // namespace ballast::api

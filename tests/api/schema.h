// SPDX-License-Identifier: Apache-2.0
// A strict checker for the part of OpenAPI 3.0's JSON schema that docs/openapi.json uses. A keyword
// it does not know is a problem of the schema, so nothing is left unchecked without notice.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace ballast::test {

/// What is wrong with `value` under `schema`, each with where it is; empty when it conforms.
/// `document` is what "$ref" points into.
std::vector<std::string> schema_problems(const nlohmann::json& document,
                                         const nlohmann::json& schema, const nlohmann::json& value);

} // namespace ballast::test

// SPDX-License-Identifier: Apache-2.0
// The daemon as the verbs see it: a path in, a JSON document or a failure that says what to do out.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/exit_code.h"

namespace ballast::cli {

using Json = nlohmann::ordered_json;

class Client {
public:
    using Query = std::vector<std::pair<std::string, std::string>>;

    explicit Client(std::string runtime_dir) : runtime_dir_(std::move(runtime_dir)) {}

    /// From query.sock. `path` is percent-encoded, `query` is not.
    [[nodiscard]] Outcome<Json> get(const std::string& path, const Query& query = {}) const;

    /// PUT, DELETE or POST on control.sock; a null `body` sends none.
    [[nodiscard]] Outcome<Json> write(const std::string& method, const std::string& path,
                                      const Json& body = nullptr) const;

private:
    std::string runtime_dir_;
};

} // namespace ballast::cli

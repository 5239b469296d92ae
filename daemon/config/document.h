// SPDX-License-Identifier: Apache-2.0
// One policy file as written: each value checked by itself, nothing yet compared with other files.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "daemon/config/problem.h"
#include "daemon/model/policy.h"

namespace ballast {

/// The text of one file and the name that messages give it.
struct PolicySource {
    std::string file;
    std::string text;
};

/// A target and the line it stands on.
struct PlacedTarget {
    Target target;
    Place place;
};

/// One [[service]] as written. The name is empty if it was missing or wrong.
struct ServiceEntry {
    std::string name;
    Place place; ///< of the [[service]] header
    Place name_place;
    std::vector<PlacedTarget> to;
    std::optional<std::uint32_t> max_connections;
    std::optional<OnLimit> on_limit;
    std::optional<Mode> mode;
};

struct PolicyDocument {
    std::optional<std::chrono::milliseconds> daemon_grace;
    std::optional<std::chrono::milliseconds> sweep_interval;
    std::optional<std::chrono::milliseconds> destination_ttl;
    std::optional<std::string> metrics_listen;
    std::optional<Mode> limit_mode;
    std::vector<ServiceEntry> services;
};

/// Reads one file. What is wrong goes to `errors` and is left out of the result; what is merely
/// pointless goes to `warnings`. A file that is not TOML yields an empty document and one error.
PolicyDocument read_document(const PolicySource& source, ProblemList& errors,
                             ProblemList& warnings);

} // namespace ballast

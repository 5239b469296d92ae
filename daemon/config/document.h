// SPDX-License-Identifier: Apache-2.0
// Policy files as written: each value checked by itself, nothing yet compared with other services.
#pragma once

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

/// An element of an array and the line it stands on.
template <typename T>
struct Placed {
    T value;
    Place place;
};

/// One [[service]] as written.
struct ServiceEntry {
    Service
        row; ///< without `to`, `to_names`, `from` and modes; no name if that is missing or wrong
    Place place; ///< of the [[service]] header
    Place name_place;
    std::vector<Placed<Target>> to;
    std::vector<Placed<NamedTarget>> to_names;
    std::vector<Placed<std::string>> from;
    std::optional<Mode> mode; ///< none: as [guards] has it after the last file
    std::optional<Mode> breaker_mode;
    std::optional<Mode> half_open_mode;
    std::optional<Mode> keepalive_mode;
    std::optional<Mode> ports_mode;
    std::optional<Reliefs> relief; ///< none: as [ports] has it after the last file
    std::optional<std::vector<Address>> source_pool; ///< the same
};

/// One [[listener]] as written.
struct ListenerEntry {
    ListenerRule row; ///< without `on` and mode; no name if that is missing or wrong
    Place place;      ///< of the [[listener]] header
    Place name_place;
    std::vector<Placed<GuardedAddress>> on;
    std::optional<Mode> mode; ///< none: as [listeners] has it after the last file
};

struct PolicyDocument {
    Policy options; ///< without services and listeners
    std::vector<ServiceEntry> services;
    std::vector<ListenerEntry> listeners;
};

/// Reads one file into `all`: its keys replace those of files read before, its services add up.
/// Invalid entries go to `errors` and are left out; merely pointless ones go to `warnings`. A
/// file that is not TOML adds nothing but one error.
void read_document(const PolicySource& source, PolicyDocument& all, ProblemList& errors,
                   ProblemList& warnings);

} // namespace ballast

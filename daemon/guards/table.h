// SPDX-License-Identifier: Apache-2.0
// The guards there are.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "daemon/guards/guard.h"
#include "daemon/util/error.h"

namespace ballast::guards {

struct GuardRow {
    std::string_view name; ///< of its folder
    Thread thread;
    Result<std::unique_ptr<Guard>> (*make)(const Surroundings& around);
};

std::span<const GuardRow> guard_table();

} // namespace ballast::guards

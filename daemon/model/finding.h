// SPDX-License-Identifier: Apache-2.0
// What a guard concluded, with its evidence.
#pragma once

#include <string>

#include "daemon/util/address.h"

namespace ballast {

struct Finding {
    std::string reason; ///< stable code, "limit_refusing"
    Endpoint destination;
    std::string service;
    std::string evidence; ///< "key=value ..." for people and for grep
};

} // namespace ballast

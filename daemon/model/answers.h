// SPDX-License-Identifier: Apache-2.0
// The addresses of DNS names.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "daemon/model/policy.h"

namespace ballast {

/// The addresses of one name.
struct Answer {
    std::vector<Address> addresses; ///< ascending, distinct, at most kMaxNameAnswers
    std::size_t left_out = 0;       ///< further ones, which are not governed

    bool operator==(const Answer&) const = default;
};

/// By name; one that never resolved is not in it.
using Answers = std::map<std::string, Answer>;

/// Puts what a resolver said in order, which makes it no matter of chance which addresses of many
/// are governed.
Answer answer_of(std::vector<Address> addresses);

/// The distinct DNS names of the policy, ascending; at most kMaxNames.
std::vector<std::string> hosts_of(const Policy& policy);

} // namespace ballast

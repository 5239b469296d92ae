// SPDX-License-Identifier: Apache-2.0
// The state of the policy's names: the last good answer of each, and why there is no newer
// one. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/model/answers.h"
#include "daemon/resolve/lookup.h"

namespace ballast {

/// Changes by a lookup; at most one of the last two.
struct Heard {
    bool addresses = false; ///< those that are governed
    bool answer = false;    ///< these, or how many are left out
    bool failed = false;    ///< it failed where the last one did not, or for another reason
    bool recovered = false; ///< it is the first success after a failure
};

class NameBook {
public:
    /// From now on these names. What is known of others is forgotten.
    void follow(const std::vector<std::string>& hosts);

    /// Takes over what an earlier daemon knew, for names that have no answer yet.
    void recall(const Answers& earlier);

    /// Enters a lookup: a good answer replaces the last one, a failure leaves it as it is. A name
    /// that is not followed is ignored.
    Heard hear(const Lookup& lookup);

    /// The last good ones.
    [[nodiscard]] const Answers& answers() const { return answers_; }
    /// The error of each name whose last lookup failed, by name.
    [[nodiscard]] std::map<std::string, std::string> failing() const;

private:
    std::map<std::string, std::string> errors_; ///< of each name followed; empty: none
    Answers answers_;
};

} // namespace ballast

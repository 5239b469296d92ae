// SPDX-License-Identifier: Apache-2.0
// What the tables of wrong policies share: a policy with one error, and where it has to be found.
#pragma once

#include <string>

#include "daemon/config/policy_parser.h"
#include "tests/harness/cmocka.hpp"

namespace ballast::test {

/// A policy with exactly one error.
struct Case {
    std::string text;
    unsigned line;
    const char* key;
    const char* message; ///< some of it
};

inline void check(const Case& c) {
    const auto report = parse_policy({{"p.toml", c.text}});
    const auto& errors = report.errors.problems();
    const bool right = errors.size() == 1 && errors[0].line == c.line && errors[0].key == c.key &&
                       errors[0].message.find(c.message) != std::string::npos;
    if (!right)
        print_error("policy:\n%s\nwanted: line %u, key %s, \"%s\"\ngot:\n%s\n", c.text.c_str(),
                    c.line, c.key, c.message, report.errors.text().c_str());
    assert_true(right);
    assert_false(report.policy.has_value());
    assert_false(report.result().has_value());
}

/// Puts `lines` into a service that is otherwise right; `lines` begin on line 4.
inline std::string service(const std::string& lines) {
    return "[[service]]\nname = 'a'\nto = ['10.0.0.1']\n" + lines;
}

/// The same with `element` as its only target, on line 3.
inline std::string target(const std::string& element) {
    return "[[service]]\nname = 'a'\nto = [" + element + "]\n";
}

inline std::string named(const std::string& name) {
    return "[[service]]\nto = ['10.0.0.1']\nname = " + name + "\n";
}

/// The second service's target begins on line 6.
inline std::string pair_of(const std::string& a, const std::string& b) {
    return "[[service]]\nname='a'\nto=[" + a + "]\n[[service]]\nname='b'\nto=[" + b + "]\n";
}

} // namespace ballast::test

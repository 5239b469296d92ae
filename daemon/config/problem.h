// SPDX-License-Identifier: Apache-2.0
// Errors in a policy file, with their place: all found in one pass, bounded, printed one a line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ballast {

/// A place in a policy file; `line` and `column` count from 1, 0 means "as a whole".
struct Place {
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0; ///< only known for TOML syntax errors

    /// "FILE", "FILE:LINE" or "FILE:LINE:COLUMN".
    [[nodiscard]] std::string text() const;
    bool operator==(const Place&) const = default;
};

struct PolicyProblem {
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string key;     ///< "service.max_connections"; empty where no key is to blame
    std::string message; ///< the offending value and what is accepted

    /// "policy.toml:7: key service.max_connections: 0 is not in 1..1000000".
    [[nodiscard]] std::string text() const;
    bool operator==(const PolicyProblem&) const = default;
};

inline constexpr std::size_t kMaxProblems = 50;

/// Collects up to kMaxProblems and counts the rest.
class ProblemList {
public:
    void add(const Place& place, std::string key, std::string message);

    [[nodiscard]] bool empty() const { return problems_.empty(); }
    [[nodiscard]] std::size_t left_out() const { return left_out_; }
    [[nodiscard]] const std::vector<PolicyProblem>& problems() const { return problems_; }

    /// Orders by place: files in the order of `files`, then lines.
    void sort(const std::vector<std::string>& files);

    /// One problem a line, and how many were left out.
    [[nodiscard]] std::string text() const;

private:
    std::vector<PolicyProblem> problems_;
    std::size_t left_out_ = 0;
};

} // namespace ballast

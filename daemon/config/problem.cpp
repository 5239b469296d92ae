// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/problem.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace ballast {

std::string Place::text() const {
    if (line == 0)
        return file;
    return column == 0 ? fmt::format("{}:{}", file, line)
                       : fmt::format("{}:{}:{}", file, line, column);
}

std::string PolicyProblem::text() const {
    const std::string where = Place{file, line, column}.text();
    return key.empty() ? fmt::format("{}: {}", where, message)
                       : fmt::format("{}: key {}: {}", where, key, message);
}

void ProblemList::add(const Place& place, std::string key, std::string message) {
    if (problems_.size() == kMaxProblems) {
        ++left_out_;
        return;
    }
    problems_.push_back({place.file, place.line, place.column, std::move(key), std::move(message)});
}

void ProblemList::sort(const std::vector<std::string>& files) {
    const auto rank = [&](const PolicyProblem& p) {
        return std::tuple(std::find(files.begin(), files.end(), p.file), p.line, p.column);
    };
    std::stable_sort(problems_.begin(), problems_.end(),
                     [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
}

std::string ProblemList::text() const {
    std::string out;
    for (const PolicyProblem& problem : problems_)
        out += (out.empty() ? "" : "\n") + problem.text();
    if (left_out_ > 0)
        out += fmt::format("\nand {} more", left_out_);
    return out;
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/suggest.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include <fmt/format.h>

namespace ballast {
namespace {

constexpr std::size_t kMaxEdits = 2;

/// Levenshtein distance: insertions, deletions and replacements of one letter.
std::size_t edits(std::string_view a, std::string_view b) {
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(last.begin(), last.end(), 0);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
        }
        last.swap(row);
    }
    return last.back();
}

} // namespace

std::string did_you_mean(std::string_view written, std::span<const std::string_view> words) {
    std::string_view best;
    std::size_t fewest = kMaxEdits + 1;
    for (const std::string_view word : words) {
        if (written.size() > word.size() + kMaxEdits)
            continue;
        const std::size_t distance = edits(written, word);
        if (distance < fewest && distance < word.size()) {
            best = word;
            fewest = distance;
        }
    }
    return best.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", best);
}

std::string listed(std::span<const std::string_view> words) {
    return fmt::format("{}", fmt::join(words, ", "));
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
// Which services may govern a connection, in the order in which their `from` is asked.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/model/policy.h"

namespace ballast {

/// A service, and for whom it is a candidate.
struct Candidate {
    std::uint16_t service = 0;       ///< index of Policy::services plus 1
    std::vector<std::uint16_t> from; ///< ascending indexes of from_patterns(); empty: everyone

    auto operator<=>(const Candidate&) const = default; // NOLINT(modernize-use-nullptr)
};

/// The first whose `from` holds for the consumer governs; if there is none, nobody does.
/// Invariants: only the last may be for everyone, neighbours differ in their service, no element of
/// `from` occurs twice.
using Candidates = std::vector<Candidate>;

/// The distinct elements of all `from`, in ascending order.
std::vector<std::string> from_patterns(const Policy& policy);

/// Cost of a list in the table that `from` chooses among: 0 where it leaves no choice.
std::size_t alternatives(const Candidates& list);

/// Distinct lists, built from below. List 0 is the empty one.
class CandidateLists {
public:
    /// `policy` must outlive the object.
    explicit CandidateLists(const Policy& policy);

    /// The list of one service that is there for everyone.
    std::uint32_t only(std::uint16_t service);

    /// List `below` with `services` before it, all of which have a `from`. Among these a longer
    /// element goes first, then the service whose name does; one already asked is not asked again.
    std::uint32_t on_top(std::uint32_t below, const std::vector<std::uint16_t>& services);

    /// Sum of alternatives() of all lists.
    [[nodiscard]] std::size_t alternatives() const { return alternatives_; }
    [[nodiscard]] const std::vector<Candidates>& lists() const { return lists_; }

private:
    struct Asked;

    std::uint32_t place_of(Candidates list);
    [[nodiscard]] std::vector<Asked> in_order(const std::vector<std::uint16_t>& services) const;
    [[nodiscard]] Candidates stacked(const Candidates& below,
                                     const std::vector<std::uint16_t>& services) const;

    const Policy& policy_;
    std::vector<std::string> patterns_;
    std::vector<Candidates> lists_;
    std::map<Candidates, std::uint32_t> places_;
    std::map<std::pair<std::uint32_t, std::vector<std::uint16_t>>, std::uint32_t> stacked_;
    std::size_t alternatives_ = 0;
};

} // namespace ballast

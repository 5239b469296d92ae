// SPDX-License-Identifier: Apache-2.0
#include "cli/discover/gap_search.h"

#include <algorithm>
#include <cmath>

namespace ballast::discovery {
namespace {

/// How much later than due a volley may be over without the bracket getting wider than asked for:
/// 30 ms of its own, and what timers and polling add.
constexpr Gap kLateness{70};

/// The step above `gap`. Short gaps leave little room for lateness: they give half of it.
Gap step_above(Gap gap, int percent) {
    const Gap step = gap * percent / 100;
    return std::max({step - kLateness, step / 2, Gap(1)});
}

} // namespace

std::vector<Gap> idle_ladder(Gap longest, int percent) {
    std::vector<Gap> ladder{kShortestGap};
    while (ladder.back() < longest)
        ladder.push_back(std::min(ladder.back() + step_above(ladder.back(), percent), longest));
    return ladder;
}

double most_time(int percent, std::size_t flows, std::size_t stride) {
    const double ratio = 1 + percent / 100.0;
    const double coarse = std::pow(ratio, stride);
    const double waiting = 1 / (std::pow(coarse, flows) - 1);
    return coarse * (1 + waiting) + (stride > 1 ? ratio : 0);
}

std::size_t best_stride(int percent, std::size_t flows) {
    std::size_t best = 1;
    for (std::size_t stride = 2; stride <= flows + 1; ++stride)
        if (most_time(percent, flows, stride) < most_time(percent, flows, best))
            best = stride;
    return best;
}

GapSearch::GapSearch(std::vector<Gap> ladder, std::size_t stride)
    : ladder_(std::move(ladder)), out_(ladder_.size(), false), stride_(stride),
      high_(ladder_.size()) {}

/// In the first round, while nothing has died, every stride-th rung and the last.
bool GapSearch::wanted(Rung rung) const {
    const bool second_round = high_ != ladder_.size();
    return second_round || (rung + 1) % stride_ == 0 || rung + 1 == ladder_.size();
}

std::optional<GapSearch::Rung> GapSearch::take() {
    for (Rung rung = low_; rung < high_; ++rung)
        if (!out_[rung] && wanted(rung)) {
            out_[rung] = true;
            return rung;
        }
    return std::nullopt;
}

void GapSearch::give_back(Rung rung) {
    out_.at(rung) = false;
}

void GapSearch::survived(Rung rung) {
    out_.at(rung) = false;
    low_ = std::max(low_, rung + 1);
    high_ = std::max(high_, low_);
}

void GapSearch::survived_gap(Gap gap) {
    while (low_ < high_ && ladder_[low_] <= gap)
        ++low_;
}

void GapSearch::died(Rung rung) {
    out_.at(rung) = false;
    high_ = std::max(low_, std::min(high_, rung));
}

void GapSearch::forget_died() {
    high_ = ladder_.size();
}

} // namespace ballast::discovery

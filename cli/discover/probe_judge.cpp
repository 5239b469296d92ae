// SPDX-License-Identifier: Apache-2.0
#include "cli/discover/probe_judge.h"

namespace ballast::discovery {

bool ProbeJudge::unanswered(Time now) const {
    return sent_ >= volley && now >= last_ + answer_wait_;
}

ProbeJudge::Step ProbeJudge::step(Time now) {
    if (reset_)
        return witnessed_ ? Step::reset : Step::wait;
    const bool volley_goes_on = sent_ < volley && now >= last_ + volley_spacing;
    if (!volley_goes_on) {
        if (!unanswered(now) || !witnessed_)
            return Step::wait;
        if (sent_after_witness_ == after_witness)
            return Step::dropped;
        ++sent_after_witness_;
    }
    last_ = now;
    ++sent_;
    return Step::send;
}

bool ProbeJudge::wants_witness(Time now) const {
    return !witnessed_ && (reset_ || unanswered(now));
}

std::optional<ProbeJudge::Time> ProbeJudge::next(Time now) const {
    if (wants_witness(now))
        return std::nullopt;
    if (reset_)
        return last_;
    return last_ + (sent_ < volley ? volley_spacing : answer_wait_);
}

} // namespace ballast::discovery

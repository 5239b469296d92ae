// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/port_forecast.h"

#include <algorithm>
#include <cmath>

namespace ballast::guards {

namespace {

using std::chrono::seconds;

double seconds_between(PortTrend::Monotonic from, PortTrend::Monotonic until) {
    return std::chrono::duration<double>(until - from).count();
}

/// Of those that are there, mini-sockets that have ended by then. Within a step they end evenly.
double ended_by(const TupleCount& count, seconds time) {
    double ended = 0;
    for (std::size_t step = 0; step + 1 < count.ends.size(); ++step) {
        const double begins =
            static_cast<double>(step) * static_cast<double>(TupleCount::ends_step.count());
        const double share = (static_cast<double>(time.count()) - begins) /
                             static_cast<double>(TupleCount::ends_step.count());
        ended += count.ends.at(step) * std::clamp(share, 0.0, 1.0);
    }
    return ended;
}

} // namespace

void PortTrend::add(const TupleCount& count, Monotonic at,
                    std::optional<std::chrono::nanoseconds> since) {
    const std::uint32_t proper = count.sockets() - count.minis();
    if (count.is_partial)
        samples_.clear();
    else if (samples_.empty() && since)
        samples_.push_back({at - *since, proper, 0});
    samples_.push_back({at, proper, count.ended});
    while (samples_.size() > 2 && at - samples_.at(1).at >= window)
        samples_.pop_front();
    last_ = count;
}

PortTrend::Rates PortTrend::rates() const {
    if (samples_.size() < 2)
        return {};
    const double time = seconds_between(samples_.front().at, samples_.back().at);
    if (time <= 0)
        return {};
    double ended = 0;
    for (auto at = std::next(samples_.begin()); at != samples_.end(); ++at)
        ended += at->ended;
    const double grown = static_cast<double>(samples_.back().proper) - samples_.front().proper;
    return {.growth = grown / time, .closes = ended / time};
}

/// M5.
bool PortTrend::is_lasting(const Rates& rates) const {
    if (rates.growth <= rates.closes)
        return true;
    const Sample& before = *std::prev(samples_.end(), 2);
    const Sample& last = samples_.back();
    const double time = std::max(seconds_between(before.at, last.at), 1e-3);
    const double lately = (static_cast<double>(last.proper) - before.proper) / time;
    return last.at - samples_.front().at >= warms_up_for && lately * 2 >= rates.growth;
}

/// By how much the rate changed from pass to pass.
Confidence PortTrend::confidence(const Rates& rates) const {
    constexpr std::size_t few = 4;
    const double opens = rates.opens();
    if (samples_.size() < few || samples_.back().at - samples_.front().at < shortest ||
        opens <= 0 || !is_lasting(rates))
        return Confidence::low;
    double squares = 0;
    for (std::size_t i = 1; i < samples_.size(); ++i) {
        const Sample& from = samples_.at(i - 1);
        const Sample& until = samples_.at(i);
        const double time = std::max(seconds_between(from.at, until.at), 1e-3);
        const double rate = (static_cast<double>(until.proper) - from.proper + until.ended) / time;
        squares += (rate - opens) * (rate - opens);
    }
    const double spread = std::sqrt(squares / static_cast<double>(samples_.size() - 1)) / opens;
    return spread <= 0.25 ? Confidence::high : Confidence::medium;
}

double PortTrend::need_after(seconds time, const Rates& rates) const {
    const auto t = static_cast<double>(time.count());
    const double lasting = std::min(t, static_cast<double>(lingers.count()));
    const double proper = std::max(0.0, samples_.back().proper + rates.growth * t);
    const double minis = last_.minis() - ended_by(last_, time) + rates.closes * lasting;
    return proper + minis;
}

PortForecast PortTrend::forecast(const PortsByParity& capacity, bool is_even_first) const {
    PortForecast made;
    if (samples_.empty())
        return made;
    const Rates now = rates();
    made.opens_per_s = now.opens();
    made.closes_per_s = now.closes;
    made.confidence = confidence(now);
    made.settles_at = static_cast<std::uint32_t>(samples_.back().proper +
                                                 now.closes * static_cast<double>(lingers.count()));
    const std::uint32_t used_first = is_even_first ? last_.used.even : last_.used.odd;
    const std::uint32_t first = is_even_first ? capacity.even : capacity.odd;
    const double need_now = need_after(seconds(0), now);
    for (seconds time{0}; time <= horizon; ++time) {
        const double grown = need_after(time, now) - need_now;
        if (!made.to_knee && used_first + grown >= first)
            made.to_knee = time;
        if (!made.to_wall && last_.used.all() + grown >= capacity.all())
            made.to_wall = time;
        if (made.to_wall)
            break;
    }
    return made;
}

} // namespace ballast::guards

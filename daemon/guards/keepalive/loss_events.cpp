// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/keepalive/loss_events.h"

#include <algorithm>

#include "daemon/guards/keepalive/keepalive_choice.h"

namespace ballast::guards {

namespace {

/// How much later than `until` a flow must have been heard of to have lived: clocks are coarse.
constexpr std::chrono::milliseconds heard_later{500};

} // namespace

void LossEvents::recount(Event& event) {
    event.after = {};
    event.until = LossEvents::Monotonic::max();
    event.least = IdleBound::longest;
    event.most = Gap(0);
    for (const auto& one : event.deaths) {
        event.after = std::max(event.after, one.death.silent_since);
        event.until = std::min(event.until, one.death.tried);
        event.least = std::min(event.least, one.death.gap);
        event.most = std::max(event.most, one.death.gap);
    }
}

void LossEvents::note(Event& event, const FlowDeath& death, Monotonic now) {
    const std::chrono::seconds wait = death.is_final ? settling : patience;
    event.deaths.push_back({.death = death, .ripe = now + wait});
    event.after = std::max(event.after, death.silent_since);
    event.until = std::min(event.until, death.tried);
    event.least = std::min(event.least, death.gap);
    event.most = std::max(event.most, death.gap);
}

void LossEvents::forget(const Event& event) {
    for (const auto& one : event.deaths)
        dead_.erase(one.death.cookie);
}

/// The newest, or a new one where no instant explains both.
LossEvents::Event& LossEvents::event_of(const PathPlace& place, const FlowDeath& death,
                                        Monotonic now) {
    auto& events = events_[place.own];
    const bool is_same = !events.empty() && std::max(events.back().after, death.silent_since) <=
                                                std::min(events.back().until, death.tried);
    if (is_same)
        return events.back();
    const bool is_second = !events.empty() && now - events.back().began <= remembered;
    if (is_second)
        events.back().is_second = true;
    if (events.size() >= most_events) {
        forget(events.front());
        events.erase(events.begin());
    }
    events.push_back({.place = place,
                      .began = now,
                      .after = death.silent_since,
                      .until = death.tried,
                      .is_second = is_second,
                      .deaths = {},
                      .least = death.gap,
                      .most = death.gap});
    return events.back();
}

void LossEvents::died(const PathPlace& place, const FlowDeath& death, Monotonic now) {
    if (dead_.contains(death.cookie))
        return;
    if (!events_.contains(place.own) && events_.size() >= most_paths) {
        ++table_full_;
        return;
    }
    Event& event = event_of(place, death, now);
    if (event.deaths.size() < most_deaths) {
        note(event, death, now);
        dead_.insert_or_assign(death.cookie, place.own);
        return;
    }
    ++table_full_;
    event.least = std::min(event.least, death.gap);
    event.most = std::max(event.most, death.gap);
}

void LossEvents::acquit(std::uint64_t cookie) {
    const auto found = dead_.find(cookie);
    if (found == dead_.end())
        return;
    const auto at = events_.find(found->second);
    dead_.erase(found);
    if (at == events_.end())
        return;
    for (auto& event : at->second)
        if (std::erase_if(event.deaths,
                          [&](const Noted& one) { return one.death.cookie == cookie; }) != 0)
            recount(event);
    std::erase_if(at->second, [](const Event& event) { return event.deaths.empty(); });
    if (at->second.empty())
        events_.erase(at);
}

void LossEvents::lived(const PathKey& path, const FlowLife& life) {
    const auto at = events_.find(path);
    if (at == events_.end())
        return;
    for (auto& event : at->second) {
        if (life.heard <= event.until + heard_later)
            continue;
        event.outlived = std::max(event.outlived, life.gap);
        event.is_witnessed =
            event.is_witnessed || (life.born <= event.after && life.gap < event.least);
    }
}

bool LossEvents::is_ripe(const Event& event, Monotonic now) {
    return std::ranges::all_of(event.deaths, [&](const Noted& one) { return one.ripe <= now; }) ||
           now - event.began >= 2 * patience;
}

/// See the list at the head of loss_events.h.
bool LossEvents::is_timeout(const Event& event) {
    if (event.least < IdleBound::shortest)
        return false;
    if (event.outlived * 100 >= event.least * (100 - IdleBound::blur_percent))
        return event.is_second;
    return event.most <= event.least * alike || event.is_witnessed || event.is_second;
}

void LossEvents::teach(Event& event, Monotonic now, std::vector<Lesson>& lessons) {
    const bool is_over = std::ranges::all_of(event.deaths, &Noted::has_taught);
    if (is_over || !is_ripe(event, now))
        return;
    const bool teaches = is_timeout(event);
    for (auto& one : event.deaths) {
        if (teaches && !one.has_taught && one.ripe <= now)
            lessons.push_back({event.place, one.death.gap});
        one.has_taught = one.has_taught || one.ripe <= now;
    }
}

std::vector<LossEvents::Lesson> LossEvents::settle(Monotonic now) {
    std::vector<Lesson> lessons;
    for (auto& [path, events] : events_) {
        for (auto& event : events)
            teach(event, now, lessons);
        std::erase_if(events, [&](const Event& event) {
            const bool is_over = now - event.began > remembered;
            if (is_over)
                forget(event);
            return is_over;
        });
    }
    std::erase_if(events_, [](const auto& entry) { return entry.second.empty(); });
    return lessons;
}

void LossEvents::forget() {
    events_.clear();
    dead_.clear();
}

} // namespace ballast::guards

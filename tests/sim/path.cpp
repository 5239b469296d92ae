// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/path.h"

namespace ballast::sim {

namespace {

constexpr Timeouts fixed(Ms seconds) {
    return {seconds * kSecond, seconds * kSecond};
}

constexpr Timeouts between(Ms least, Ms most) {
    return {least * kSecond, most * kSecond};
}

} // namespace

Ms Path::timeout(double place, Ms now) const {
    const Timeouts& rule = changes_on > 0 && now >= changes_on * kDay ? later : timeouts;
    if (rule.most == 0)
        return kNever;
    return rule.least + static_cast<Ms>(place * static_cast<double>(rule.most - rule.least));
}

const std::vector<Path>& paths() {
    static const std::vector<Path> all{
        {.name = "350 s", .timeouts = fixed(350), .mean_gap = 10 * kMinute},
        {.name = "350 s, used every 30 s", .timeouts = fixed(350), .mean_gap = 30 * kSecond},
        {.name = "350 s, used every 2 h", .timeouts = fixed(350), .mean_gap = 2 * kHour},
        {.name = "240 s", .timeouts = fixed(240), .mean_gap = 2 * kMinute},
        {.name = "30 s", .timeouts = fixed(30), .mean_gap = kMinute},
        {.name = "3,600 s, used every 30 min", .timeouts = fixed(3600), .mean_gap = 30 * kMinute},
        {.name = "350 s, 120 s from day 4 on",
         .timeouts = fixed(350),
         .mean_gap = 10 * kMinute,
         .changes_on = 4,
         .later = fixed(120)},
        {.name = "350 s, 40 s from day 4 on",
         .timeouts = fixed(350),
         .mean_gap = 10 * kMinute,
         .changes_on = 4,
         .later = fixed(40)},
        {.name = "120 s, 350 s from day 4 on",
         .timeouts = fixed(120),
         .mean_gap = 10 * kMinute,
         .changes_on = 4,
         .later = fixed(350)},
        {.name = "100 to 400 s, by flow", .timeouts = between(100, 400), .mean_gap = 10 * kMinute},
        {.name = "20 to 400 s, by flow", .timeouts = between(20, 400), .mean_gap = 10 * kMinute},
        {.name = "350 s, loses 2%", .timeouts = fixed(350), .mean_gap = 10 * kMinute, .loss = 0.02},
        {.name = "350 s, loses 10%", .timeouts = fixed(350), .mean_gap = 2 * kMinute, .loss = 0.1},
        {.name = "350 s, a false drop every day",
         .timeouts = fixed(350),
         .mean_gap = 10 * kMinute,
         .false_drops = 1.0 / (40 * 144)},
        {.name = "350 s, forgets all on day 4",
         .timeouts = fixed(350),
         .mean_gap = 10 * kMinute,
         .restarts_on = 4},
        {.name = "no timeout", .mean_gap = 10 * kMinute},
        {.name = "no timeout, loses 10%", .mean_gap = 10 * kMinute, .loss = 0.1},
    };
    return all;
}

} // namespace ballast::sim

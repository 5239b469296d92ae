/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Counters of events in which Ballast let traffic pass or lost information, one row for each.
 * struct ballast_counters, the API's JSON, the metrics and the manual page follow from it, so that
 * a counter takes its row and the line that counts.
 *
 * ROW(name, group, what is counted). Groups: daemon/model/counters.h. The order is that of pinned
 * memory: new rows go to the end, where their number is part of BALLAST_ABI_VERSION.
 */
#ifndef BALLAST_COUNTERS_H
#define BALLAST_COUNTERS_H

#define BALLAST_COUNTERS(ROW)                                                                      \
    ROW(destinations_full, fail_open,                                                              \
        "connects let through uncounted: no place for a destination")                              \
    ROW(reservations_full, fail_open,                                                              \
        "connects let through uncounted: no place for a reservation")                              \
    ROW(daemon_silent, fail_open, "connects not refused: heartbeat older than daemon_grace")       \
    ROW(disarmed, fail_open, "connects not refused: the kill switch is on")                        \
    ROW(retiring, fail_open,                                                                       \
        "connects let through uncounted: their destination was being recycled")                    \
    ROW(underflow, bugs, "releases that found a count at 0, which stayed at 0")                    \
    ROW(policy_gap, bugs, "programs that found no policy")                                         \
    ROW(consumers_full, fail_open,                                                                 \
        "connects without `from` and shares: no place for their cgroup")                           \
    ROW(shares_full, fail_open, "connects without max_per_consumer: no place for their share")     \
    ROW(rate_contended, fail_open, "connects let through without a token: too many at one moment") \
    ROW(breakers_full, breaker_losses, "failures not counted: no place for a breaker")             \
    ROW(events_lost, breaker_losses, "changes of a breaker not reported: ring buffer full")        \
    ROW(trips_withheld, breaker_losses, "openings that the governor's budget did not allow")       \
    ROW(timeouts_failed, fail_open, "connect_timeouts that could not be set or taken back")        \
    ROW(suspicions_lost, half_open_losses, "suspect flows not reported: ring buffer full")         \
    ROW(keepalives_failed, keepalive_losses, "options of keepalive not set or not given back")

#define BALLAST_NUMBER_ROW(name, group, help) BALLAST_COUNTER_##name,
enum { BALLAST_COUNTERS(BALLAST_NUMBER_ROW) BALLAST_COUNTER_ROWS };
#undef BALLAST_NUMBER_ROW

#endif

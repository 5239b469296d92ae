/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
// clang-format off
/*
 * The circuit breaker of one destination.
 *
 *            too many connects failed, budget spent
 *        +--------------------------------------------+
 *        |                                            v    deadline passed
 *     CLOSED <-- deadline -- RAMP -- threshold --> OPEN --------------> HALF_OPEN --+ deadline:
 *                             ^                       ^ a probe failed      | |  ^  | probes were lost,
 *                             |                       +---------------------+ |  +--+ restarts
 *                             +-------- `probes` probes have succeeded -------+
 *
 * Deadlines: OPEN: half-open may begin. HALF_OPEN: probes without a verdict are forgotten. RAMP: the
 * limit is whole again. They are acted on by the next connect(); nothing here runs by itself.
 *
 * Invariants
 * B1  `word` changes only by swaps of its whole, each to the next generation. Only the one that
 *     swapped reports the change.
 * B2  Failures count within one generation (lib/breaker_window.h): none that was recorded before the
 *     last change counts again. A verdict in the instant of a change belongs to what has ended and
 *     comes to nothing.
 * B3  Within one half-open period undecided and succeeded probes together are never more than
 *     `probes` (at least 1). A place is taken only for the period that `word` named before and after
 *     `probes` was read; counts of another generation are an ended period's and mean none.
 * B4  Each step from CLOSED or RAMP to OPEN has taken one from the budget, which never goes below 0.
 *     It is taken first and given back when the swap fails, so another breaker may find none for that
 *     instant and withhold; its next failure makes up for that.
 * B5  What a person forced changes answers, not `word`: when it ends, the breaker goes on from where
 *     it was. forced_until_ms has to be in place before `forced` is.
 * B6  All loops are bounded. Out of tries, a connect() is refused (the breaker was not closed at any
 *     of 8 looks), an opening is withheld, a probe's place stays taken until the period ends.
 *
 * B7  Success counts as much as failure: out of CLOSED it takes `thresholds` failures of a kind, and
 *     failures to be failure_percent of all attempts, in the window or in its last quarter. What
 *     flows do that were established before counts only while connects fail and none succeeds.
 * B8  An attempt that began before the last change of state says nothing of the state since.
 * B9  An open breaker refuses those alone in whose name it opened (lib/breaker_party.h); what the
 *     others meet meanwhile may open it for them too.
 *
 * A probe whose period was forgotten may still succeed, fail or be lost in a later one. Its success is
 * as good as another's and takes one of their places, its failure opens; a loss gives back a place
 * that it had lost already, so as many more than `probes` may be under way as were forgotten.
 */
// clang-format on
#ifndef BALLAST_BPF_LIB_BREAKER_H
#define BALLAST_BPF_LIB_BREAKER_H

#include "bpf/lib/breaker_party.h"
#include "bpf/lib/breaker_window.h"

/* Shortest time in which a probe has to come to a verdict. */
#define BALLAST_BREAKER_MIN_PERIOD_MS 1000u

enum ballast_breaker_verdict {
    BALLAST_BREAKER_ADMIT = 0,
    BALLAST_BREAKER_ADMIT_PROBE = 1, /* its end must come back: success, failure or probe_lost */
    BALLAST_BREAKER_REFUSE = 2,
    BALLAST_BREAKER_RETRY = 3, /* never of ballast_breaker_admit() */
};

enum ballast_breaker_outcome {
    BALLAST_BREAKER_COUNTED = 0,
    BALLAST_BREAKER_OPENED = 1,
    BALLAST_BREAKER_WITHHELD = 2, /* would have opened: no budget, or forced closed */
};

/* A call's change to the word, and the counts that it opened for. Zeroed and filled by the call. */
struct ballast_breaker_change {
    __u64 word;    /* after it; level and deadline are in there */
    __u32 changed; /* how many steps; more than 1 where others stepped in between */
    __u16 from;    /* of the last step; half-open to half-open: probes were lost */
    __u16 to;      /* enum ballast_breaker_state */
    /* Of the window, for what opened or was withheld. */
    __u32 counts[BALLAST_BREAKER_COUNTS];
    __u32 reserved;
};

/* One failed connection. */
struct ballast_breaker_event {
    __u64 now_ms;   /* CLOCK_MONOTONIC */
    __u64 began_ms; /* when its SYN was sent; 0: not known, or long ago */
    __u64 who;      /* as struct ballast_breaker_party; 0: not known */
    __u32 kind;     /* enum ballast_failure; others are ignored */
    __u32 is_probe;
    __u32 is_given_up; /* by the program, which may not have waited for long enough */
    __s32 error;       /* errno; 0: it had none */
    __u32 random;      /* all 32 bits */
    __u32 reserved;
};

/* The force on the breaker now; enum ballast_breaker_force. */
BALLAST_INLINE __u32 ballast_breaker_forced(const struct ballast_breaker* breaker, __u64 now_ms) {
    __u32 forced = BALLAST_LOAD(breaker->forced);
    __u64 until_ms = BALLAST_LOAD(breaker->forced_until_ms);
    return until_ms && now_ms >= until_ms ? (__u32)BALLAST_FORCE_NONE : forced;
}

/* True if admission may skip the breaker until a failure or a person has touched it. */
BALLAST_INLINE bool ballast_breaker_is_closed_for_good(const struct ballast_breaker* breaker) {
    return ballast_breaker_state(BALLAST_LOAD(breaker->word)) == BALLAST_BREAKER_CLOSED &&
           BALLAST_LOAD(breaker->forced) == BALLAST_FORCE_NONE;
}

/* Whether a connect() of `who` is the breaker's business (B9). */
BALLAST_INLINE bool ballast_breaker_concerns(struct ballast_breaker* breaker, __u64 who,
                                             __u64 now_ms) {
    __u32 scope = ballast_breaker_scope(BALLAST_LOAD(breaker->word));
    return !scope || ballast_breaker_forced(breaker, now_ms) != BALLAST_FORCE_NONE ||
           (ballast_party_bit(breaker, who) & scope);
}

/* Probes admitted at a time, and needed to close. */
BALLAST_INLINE __u32 ballast_breaker_probes_wanted(const struct ballast_breaker_limits* limits) {
    return limits->probes ? limits->probes : 1;
}

/* How long to stay open: doubles with each level up to open_max_ms, then 75 to 125 % of that. */
BALLAST_INLINE __u64 ballast_breaker_open_ms(const struct ballast_breaker_limits* limits,
                                             __u32 level, __u32 random) {
    __u64 base = (__u64)limits->open_for_ms << (level < 32 ? level : 32);
    __u64 quarter = 0;
    if (base > limits->open_max_ms)
        base = limits->open_max_ms;
    if (!base)
        base = 1;
    quarter = base / 4;
    return base - quarter + (((2 * quarter + 1) * random) >> 32);
}

/*
 * The limit while the ramp lasts: from ramp_start percent of `max`, rounded up and at least 1,
 * linear to `max` at the deadline. `max` in all other states, and where there is no limit.
 */
BALLAST_INLINE __u32 ballast_breaker_ramped_limit(__u64 word,
                                                  const struct ballast_breaker_limits* limits,
                                                  __u32 max, __u64 now_ms) {
    __u64 ramp = limits->ramp_ms;
    __u64 deadline = ballast_breaker_deadline_ms(word);
    __u64 start = ((__u64)max * limits->ramp_start + 99) / 100;
    if (ballast_breaker_state(word) != BALLAST_BREAKER_RAMP || max == BALLAST_UNLIMITED ||
        now_ms >= deadline || !ramp)
        return max;
    __u64 left = deadline - now_ms < ramp ? deadline - now_ms : ramp;
    if (!start)
        start = 1;
    return start >= max ? max : (__u32)(start + (max - start) * (ramp - left) / ramp);
}

/* The limit that a ramp leaves of `max`: that of before, but not less than `base`, which is what
 * was used before it failed. Without a limit it grows from there to twice as much. */
BALLAST_INLINE __u32 ballast_breaker_ramp(__u64 word, const struct ballast_breaker_limits* limits,
                                          __u32 max, __u32 base, __u64 now_ms) {
    __u32 twice = base < BALLAST_UNLIMITED / 2 ? 2 * base : BALLAST_UNLIMITED;
    if (ballast_breaker_state(word) != BALLAST_BREAKER_RAMP ||
        now_ms >= ballast_breaker_deadline_ms(word))
        return max;
    __u32 limit =
        ballast_breaker_ramped_limit(word, limits, max == BALLAST_UNLIMITED ? twice : max, now_ms);
    if (limit < base)
        limit = base;
    return limit < max ? limit : max;
}

/* Failures of `kind` that count now. */
BALLAST_INLINE __u32 ballast_breaker_window_count(struct ballast_breaker* breaker,
                                                  const struct ballast_breaker_limits* limits,
                                                  __u32 kind, __u64 now_ms) {
    if (kind >= BALLAST_BREAKER_COUNTS)
        return 0;
    return ballast_window_sum(breaker,
                              ballast_window_place(BALLAST_LOAD(breaker->word), limits, now_ms),
                              kind, BALLAST_BREAKER_SLOTS);
}

/* Connects in the window that failed, of whatever kind. */
BALLAST_INLINE __u32 ballast_breaker_failing(struct ballast_breaker* breaker,
                                             const struct ballast_breaker_limits* limits,
                                             __u64 now_ms) {
    return ballast_breaker_window_count(breaker, limits, BALLAST_FAILURE_TIMED_OUT, now_ms) +
           ballast_breaker_window_count(breaker, limits, BALLAST_FAILURE_REFUSED, now_ms) +
           ballast_breaker_window_count(breaker, limits, BALLAST_FAILURE_UNREACHABLE, now_ms);
}

/* Swaps the word (B1); false where it is no longer `word`. */
BALLAST_INLINE bool ballast_breaker_move(struct ballast_breaker* breaker, __u64 word, __u64 next,
                                         __u64 now_ms, struct ballast_breaker_change* change) {
    __u32 from = ballast_breaker_state(word);
    __u32 to = ballast_breaker_state(next);
    if (!ballast_swap_if_u64(&breaker->word, word, next))
        return false;
    if (from != to)
        BALLAST_STORE(breaker->since_ms, now_ms);
    change->changed++;
    change->from = (__u16)from;
    change->word = next;
    change->to = (__u16)to;
    return true;
}

/* Where a word goes whose deadline has passed. */
BALLAST_INLINE __u64 ballast_breaker_when_due(__u64 word,
                                              const struct ballast_breaker_limits* limits,
                                              __u64 now_ms) {
    __u64 period = limits->open_for_ms;
    if (ballast_breaker_state(word) == BALLAST_BREAKER_RAMP)
        return ballast_breaker_next(word, BALLAST_BREAKER_CLOSED, 0, 0);
    if (period < BALLAST_BREAKER_MIN_PERIOD_MS)
        period = BALLAST_BREAKER_MIN_PERIOD_MS;
    return ballast_breaker_next(word, BALLAST_BREAKER_HALF_OPEN, ballast_breaker_level(word),
                                now_ms + period);
}

/* The counts of the period that `word` names, and what they are kept in; false where it ended. */
BALLAST_INLINE bool ballast_breaker_probes(struct ballast_breaker* breaker, __u64 word, __u64* kept,
                                           __u64* probes) {
    *kept = BALLAST_LOAD(breaker->probes);
    *probes = ballast_probes_none(ballast_breaker_generation(word));
    if (*kept >> 32 == *probes >> 32)
        *probes = *kept;
    return BALLAST_LOAD(breaker->word) == word;
}

/* One try to be a probe of the period that `word` names (B3). */
BALLAST_INLINE enum ballast_breaker_verdict
ballast_breaker_take_place(struct ballast_breaker* breaker,
                           const struct ballast_breaker_limits* limits, __u64 word) {
    __u64 kept = 0;
    __u64 probes = 0;
    if (!ballast_breaker_probes(breaker, word, &kept, &probes))
        return BALLAST_BREAKER_RETRY;
    if (ballast_probes_undecided(probes) + ballast_probes_succeeded(probes) >=
        ballast_breaker_probes_wanted(limits))
        return BALLAST_BREAKER_REFUSE;
    return ballast_swap_if_u64(&breaker->probes, kept, probes + 1) ? BALLAST_BREAKER_ADMIT_PROBE
                                                                   : BALLAST_BREAKER_RETRY;
}

/* One try of ballast_breaker_admit(). */
BALLAST_STEP int ballast_breaker_try_admit(struct ballast_breaker* breaker,
                                           const struct ballast_breaker_limits* limits,
                                           __u64 now_ms, struct ballast_breaker_change* change) {
    if (!breaker || !limits || !change)
        return BALLAST_BREAKER_ADMIT;
    __u64 word = BALLAST_LOAD(breaker->word);
    __u32 state = ballast_breaker_state(word);
    if (state == BALLAST_BREAKER_CLOSED)
        return BALLAST_BREAKER_ADMIT;
    if (now_ms >= ballast_breaker_deadline_ms(word)) {
        (void)ballast_breaker_move(breaker, word, ballast_breaker_when_due(word, limits, now_ms),
                                   now_ms, change);
        return BALLAST_BREAKER_RETRY;
    }
    if (state == BALLAST_BREAKER_RAMP)
        return BALLAST_BREAKER_ADMIT;
    if (state == BALLAST_BREAKER_OPEN)
        return BALLAST_BREAKER_REFUSE;
    return ballast_breaker_take_place(breaker, limits, word);
}

/* Whether a connect() may go on. now_ms: CLOCK_MONOTONIC. */
BALLAST_INLINE enum ballast_breaker_verdict
ballast_breaker_admit(struct ballast_breaker* breaker, const struct ballast_breaker_limits* limits,
                      __u64 now_ms, struct ballast_breaker_change* change) {
    __u32 forced = ballast_breaker_forced(breaker, now_ms);
    __builtin_memset(change, 0, sizeof(*change));
    if (forced != BALLAST_FORCE_NONE)
        return forced == BALLAST_FORCE_OPEN ? BALLAST_BREAKER_REFUSE : BALLAST_BREAKER_ADMIT;
    BALLAST_ROLLED
    for (int i = 0; i < BALLAST_BREAKER_TRIES; i++) {
        int verdict = ballast_breaker_try_admit(breaker, limits, now_ms, change);
        if (verdict != BALLAST_BREAKER_RETRY)
            return (enum ballast_breaker_verdict)verdict;
    }
    return BALLAST_BREAKER_REFUSE;
}

/* One try of ballast_breaker_decide(): 1 decided, 0 there was none, -1 others came in between. */
BALLAST_STEP int ballast_breaker_try_decide(struct ballast_breaker* breaker, __u32 success,
                                            __u64* word, __u64* probes) {
    __u64 kept = 0;
    if (!breaker || !word || !probes)
        return 0;
    *word = BALLAST_LOAD(breaker->word);
    if (ballast_breaker_state(*word) != BALLAST_BREAKER_HALF_OPEN)
        return 0;
    if (!ballast_breaker_probes(breaker, *word, &kept, probes))
        return -1;
    if (!ballast_probes_undecided(*probes))
        return 0;
    *probes = success ? ballast_probes_succeed(*probes) : *probes - 1;
    return ballast_swap_if_u64(&breaker->probes, kept, *probes) ? 1 : -1;
}

/* Moves one undecided probe to where `success` says; true, with the counts, where there was one. */
BALLAST_INLINE bool ballast_breaker_decide(struct ballast_breaker* breaker, bool success,
                                           __u64* word, __u64* probes) {
    BALLAST_ROLLED
    for (int i = 0; i < BALLAST_BREAKER_TRIES; i++) {
        int decided = ballast_breaker_try_decide(breaker, success, word, probes);
        if (decided >= 0)
            return decided != 0;
    }
    return false;
}

/* A probe ended without a verdict (its process was killed while connecting): gives its place back.
 */
BALLAST_INLINE void ballast_breaker_probe_lost(struct ballast_breaker* breaker) {
    __u64 word = 0;
    __u64 probes = 0;
    (void)ballast_breaker_decide(breaker, false, &word, &probes);
}

/* Whether a success closes the breaker that it finds at *word: the last of the probes that were
 * wanted, or, where one is enough, any connection that was begun before it opened and got through,
 * of somebody it is open for. */
BALLAST_INLINE bool ballast_breaker_is_well(struct ballast_breaker* breaker,
                                            const struct ballast_breaker_limits* limits,
                                            bool is_probe, __u64 who, __u64* word) {
    __u64 probes = 0;
    __u32 scope = 0;
    if (is_probe)
        return ballast_breaker_decide(breaker, true, word, &probes) &&
               ballast_probes_succeeded(probes) >= ballast_breaker_probes_wanted(limits);
    *word = BALLAST_LOAD(breaker->word);
    scope = ballast_breaker_scope(*word);
    return ballast_breaker_state(*word) == BALLAST_BREAKER_OPEN &&
           ballast_breaker_probes_wanted(limits) == 1 &&
           (!scope || (ballast_party_bit(breaker, who) & scope));
}

/* A connection of `who` was established in time. */
BALLAST_INLINE void ballast_breaker_success(struct ballast_breaker* breaker,
                                            const struct ballast_breaker_limits* limits,
                                            bool is_probe, __u64 who, __u64 now_ms,
                                            struct ballast_breaker_change* change) {
    __u64 word = 0;
    __u64 next = 0;
    __builtin_memset(change, 0, sizeof(*change));
    if (ballast_breaker_is_well(breaker, limits, is_probe, who, &word)) {
        next = limits->ramp_ms
                   ? ballast_breaker_next(word, BALLAST_BREAKER_RAMP, ballast_breaker_level(word),
                                          now_ms + limits->ramp_ms)
                   : ballast_breaker_next(word, BALLAST_BREAKER_CLOSED, 0, 0);
        (void)ballast_breaker_move(breaker, word, next, now_ms, change);
    }
    ballast_window_record(breaker, limits, BALLAST_BREAKER_SUCCESS, now_ms);
    (void)ballast_party_record(breaker, who, true, now_ms);
}

/* Whether failures are failure_percent of the attempts in the last `slots` of the window that ends
 * `here`, and those of `kind` enough to say so. A connection that was reset early is among those
 * that were established; of a kind that is ignored it is only known that somebody tried. */
BALLAST_STEP int ballast_breaker_is_over(struct ballast_breaker* breaker,
                                         const struct ballast_breaker_limits* limits, __u64 here,
                                         __u32 kind, __u32 slots) {
    __u32 failed = 0, attempts = 0, of_kind = 0;
    if (!breaker || !limits)
        return 0;
    attempts = ballast_window_sum(breaker, here, BALLAST_BREAKER_SUCCESS, slots);
    BALLAST_ROLLED
    for (__u32 each = 0; each < BALLAST_FAILURES; each++) {
        __u32 sum = ballast_window_sum(breaker, here, each, slots);
        if (limits->thresholds[ballast_bounded(each, BALLAST_FAILURES)])
            failed += sum;
        if (each < BALLAST_FAILURE_RESET)
            attempts += sum;
        if (each == kind)
            of_kind = sum;
    }
    if (attempts < failed)
        attempts = failed; /* not all that was established before was seen */
    return of_kind >= limits->thresholds[ballast_bounded(kind, BALLAST_FAILURES)] &&
           (__u64)failed * 100 >= (__u64)attempts * limits->failure_percent;
}

/* Whether the window has come to the point where a failure of `kind` opens. The last quarter speaks
 * for itself, so that what fails all of a sudden need not wait for what went well before; but not
 * before the breaker has seen successes too for a part of the window. */
BALLAST_INLINE bool ballast_breaker_is_too_much(struct ballast_breaker* breaker,
                                                const struct ballast_breaker_limits* limits,
                                                __u64 word, __u32 kind, __u64 now_ms) {
    __u64 here = ballast_window_place(word, limits, now_ms);
    __u64 age = ballast_party_time(now_ms) - BALLAST_LOAD(breaker->born);
    return limits->thresholds[ballast_bounded(kind, BALLAST_FAILURES)] &&
           (ballast_breaker_is_over(breaker, limits, here, kind, BALLAST_BREAKER_SLOTS) ||
            (age << BALLAST_PARTY_SHIFT >= ballast_window_width_ms(limits) &&
             ballast_breaker_is_over(breaker, limits, here, kind, BALLAST_BREAKER_SLOTS / 4)));
}

/* Whether a failure that has been recorded opens the breaker. event->kind is in range. */
BALLAST_INLINE bool ballast_breaker_trips(struct ballast_breaker* breaker,
                                          const struct ballast_breaker_limits* limits,
                                          const struct ballast_breaker_event* event, __u64 word) {
    __u32 state = ballast_breaker_state(word);
    bool is_open = state == BALLAST_BREAKER_OPEN || state == BALLAST_BREAKER_HALF_OPEN;
    if (is_open && event->is_probe)
        return state == BALLAST_BREAKER_HALF_OPEN;
    if (is_open && !ballast_breaker_scope(word))
        return false;
    return ballast_breaker_is_too_much(breaker, limits, word, event->kind, event->now_ms);
}

/* Whether a failure says something of the destination now (B7 to B9). */
BALLAST_INLINE bool ballast_breaker_counts(struct ballast_breaker* breaker,
                                           const struct ballast_breaker_limits* limits,
                                           const struct ballast_breaker_event* event) {
    __u64 word = BALLAST_LOAD(breaker->word);
    __u32 state = ballast_breaker_state(word);
    __u32 scope = ballast_breaker_scope(word);
    bool is_old = event->kind == BALLAST_FAILURE_HALF_OPEN_FLOW;
    if (event->is_probe)
        return true;
    if (event->began_ms && event->began_ms < BALLAST_LOAD(breaker->since_ms))
        return false;
    if (scope && state != BALLAST_BREAKER_RAMP &&
        (!event->who || (ballast_party_bit(breaker, event->who) & scope)))
        return false;
    if (!is_old && !event->is_given_up)
        return true;
    if (ballast_breaker_window_count(breaker, limits, BALLAST_BREAKER_SUCCESS, event->now_ms))
        return false;
    return !is_old || ballast_breaker_failing(breaker, limits, event->now_ms);
}

/* The open word after `word`. What opens in or out of a recovery stays open for longer. */
BALLAST_INLINE __u64 ballast_breaker_opened(__u64 word, const struct ballast_breaker_limits* limits,
                                            const struct ballast_breaker_event* event,
                                            __u32 scope) {
    __u32 state = ballast_breaker_state(word);
    bool is_probe = state == BALLAST_BREAKER_HALF_OPEN && event->is_probe;
    bool recovering = is_probe || (state == BALLAST_BREAKER_RAMP &&
                                   event->now_ms < ballast_breaker_deadline_ms(word));
    __u32 level = recovering ? ballast_breaker_level(word) + 1 : 0;
    if (level > BALLAST_BREAKER_MAX_LEVEL)
        level = BALLAST_BREAKER_MAX_LEVEL;
    __u64 next =
        ballast_breaker_next(word, BALLAST_BREAKER_OPEN, level,
                             event->now_ms + ballast_breaker_open_ms(limits, level, event->random));
    return is_probe ? next : ballast_breaker_scoped(next, scope);
}

/* Takes one from the budget (B4); NULL is without end. */
BALLAST_INLINE bool ballast_breaker_spend(__u32* budget) {
    if (!budget)
        return true;
    BALLAST_ROLLED
    for (int i = 0; i < BALLAST_BREAKER_TRIES; i++) {
        __u32 left = BALLAST_LOAD(*budget);
        if (!left)
            return false;
        if (ballast_swap_if_u32(budget, left, left - 1))
            return true;
    }
    return false;
}

/* Opens out of `word`, to change->word. Where `word` has moved meanwhile, the failure belongs to
 * what has ended (B2). */
BALLAST_INLINE enum ballast_breaker_outcome
ballast_breaker_open(struct ballast_breaker* breaker, __u64 word, bool is_probe, __u32* budget,
                     __u64 now_ms, struct ballast_breaker_change* change) {
    bool costs = !is_probe || ballast_breaker_state(word) != BALLAST_BREAKER_HALF_OPEN;
    if (costs && !ballast_breaker_spend(budget))
        return BALLAST_LOAD(breaker->word) == word ? BALLAST_BREAKER_WITHHELD
                                                   : BALLAST_BREAKER_COUNTED;
    if (ballast_breaker_move(breaker, word, change->word, now_ms, change))
        return BALLAST_BREAKER_OPENED;
    if (costs && budget)
        (void)__sync_fetch_and_add(budget, 1);
    return BALLAST_BREAKER_COUNTED;
}

/* All counts of the window, while they can still be read (B2). */
BALLAST_INLINE void ballast_breaker_evidence(struct ballast_breaker* breaker,
                                             const struct ballast_breaker_limits* limits,
                                             __u64 word, __u64 now_ms, __u32* counts) {
    __u64 here = ballast_window_place(word, limits, now_ms);
    BALLAST_ROLLED
    for (__u32 kind = 0; kind < BALLAST_BREAKER_COUNTS; kind++)
        counts[kind] = ballast_window_sum(breaker, here, kind, BALLAST_BREAKER_SLOTS);
}

/* The outcome of a failure that has been recorded. */
BALLAST_INLINE enum ballast_breaker_outcome
ballast_breaker_judge(struct ballast_breaker* breaker, const struct ballast_breaker_limits* limits,
                      const struct ballast_breaker_event* event, __u32* budget,
                      struct ballast_breaker_change* change) {
    __u64 word = BALLAST_LOAD(breaker->word);
    if (!ballast_breaker_trips(breaker, limits, event, word))
        return BALLAST_BREAKER_COUNTED;
    ballast_breaker_evidence(breaker, limits, word, event->now_ms, change->counts);
    if (ballast_breaker_forced(breaker, event->now_ms) != BALLAST_FORCE_CLOSED) {
        change->word = ballast_breaker_opened(
            word, limits, event, ballast_party_culprits(breaker, event->now_ms, limits->window_ms));
        return ballast_breaker_open(breaker, word, event->is_probe != 0, budget, event->now_ms,
                                    change);
    }
    if (event->is_probe)
        ballast_breaker_probe_lost(breaker);
    return BALLAST_BREAKER_WITHHELD;
}

/*
 * A connection failed. `budget`: openings left, NULL: any number. Which of them must be known when
 * compiled: the verifier of 6.1 does not follow a pointer that may be NULL through the call.
 */
BALLAST_INLINE enum ballast_breaker_outcome
ballast_breaker_failure(struct ballast_breaker* breaker,
                        const struct ballast_breaker_limits* limits,
                        const struct ballast_breaker_event* event, __u32* budget,
                        struct ballast_breaker_change* change) {
    enum ballast_breaker_outcome outcome = BALLAST_BREAKER_COUNTED;
    __builtin_memset(change, 0, sizeof(*change));
    if (event->kind >= BALLAST_FAILURES || !ballast_breaker_counts(breaker, limits, event))
        return outcome;
    BALLAST_STORE(breaker->last_error, event->error);
    BALLAST_STORE(breaker->last_failure, ballast_party_time(event->now_ms));
    ballast_window_record(breaker, limits, event->kind, event->now_ms);
    (void)ballast_party_record(breaker, event->who, false, event->now_ms);
    outcome = ballast_breaker_judge(breaker, limits, event, budget, change);
    if (outcome == BALLAST_BREAKER_OPENED)
        ballast_count(&breaker->opened);
    if (outcome == BALLAST_BREAKER_WITHHELD)
        ballast_count(&breaker->withheld);
    return outcome;
}

#endif

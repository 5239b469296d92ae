// SPDX-License-Identifier: Apache-2.0
// What the deaths of a path's flows teach. Pure; time is passed in.
//
// A firewall that forgets idle flows, one that loses its table, a backend that dies behind a
// virtual address and a router that fails over all leave flows unanswered. Only the first is a
// timeout. It takes flows by their silence: the idle ones die, those less silent live. The others
// take flows of all ages at one instant.
//
// Deaths that one instant explains are one event: each flow was well until `silent_since`, and dead
// when it first `tried`; the instant is within all of these spans.
//
// - Some were in use: nothing is taught.
// - Others lived through as long a silence: nothing, unless it is the second event.
// - All had been silent for much the same time: each of them teaches.
// - Of different lengths, and older flows in use lived: each of them teaches.
// - Of different lengths, and nobody shows that others lived: nothing, unless it is the second
// event.
//
// Invariants:
//  1. Nothing is taught before every death of the event is final: ended by the kernel or by RST
//     `settling` ago, else unanswered for `patience`. One that is heard of again counts for
//     nothing.
//  2. A flow that Ballast ended might have come back: it has to wait like one that has not ended.
//  3. Each death teaches once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "daemon/guards/keepalive/idle_bound.h"
#include "daemon/model/path_key.h"

namespace ballast::guards {

/// A flow that was in order until it fell silent, and unanswered from its next packet on.
struct FlowDeath {
    std::uint64_t cookie = 0;
    IdleBound::Gap gap{0};             ///< its silence before that packet; 0: it was in use
    IdleBound::Monotonic silent_since; ///< it was in order then
    IdleBound::Monotonic tried;        ///< that packet, at the latest
    bool is_final = false;             ///< the kernel gave it up, or RST came
};

/// A flow that is in order.
struct FlowLife {
    IdleBound::Gap gap{0};      ///< that it has just lived through; 0: it is in use
    IdleBound::Monotonic born;  ///< at the latest
    IdleBound::Monotonic heard; ///< anything of its peer, last
};

class LossEvents {
public:
    using Monotonic = IdleBound::Monotonic;
    using Gap = IdleBound::Gap;

    static constexpr std::size_t most_paths = 4'096;
    /// Deaths of an event that are kept; of more, the silences count, and they teach nothing.
    static constexpr std::size_t most_deaths = 64;
    /// From a final death to the lesson: flows in use show within this that they died too.
    static constexpr std::chrono::seconds settling{5};
    /// Silences up to this many times as long as the shortest are much the same.
    static constexpr int alike = 2;
    /// Events of a path that are kept.
    static constexpr std::size_t most_events = 8;
    /// An event within this of another is the second one.
    static constexpr std::chrono::hours remembered{1};

    struct Lesson {
        PathPlace place;
        Gap gap;
    };

    void died(const PathPlace& place, const FlowDeath& death, Monotonic now);
    /// It was heard of again after all.
    void acquit(std::uint64_t cookie);
    /// A flow on a path that is_open().
    void lived(const PathKey& path, const FlowLife& life);
    /// Whether it has had an event of late.
    [[nodiscard]] bool is_open(const PathKey& path) const {
        return !events_.empty() && events_.contains(path);
    }

    /// What was taught since, by events that are ripe at `now`.
    std::vector<Lesson> settle(Monotonic now);
    /// The host has slept: what is not settled cannot be judged.
    void forget();

    /// Deaths that were not kept: too many at a time.
    [[nodiscard]] std::uint64_t table_full() const { return table_full_; }

private:
    struct Noted {
        FlowDeath death;
        Monotonic ripe;
        bool has_taught = false;
    };
    struct Event {
        PathPlace place;
        Monotonic began;
        Monotonic after; ///< the latest silent_since of its deaths
        Monotonic until; ///< their first `tried`
        bool is_second;  ///< another was within `remembered`
        std::vector<Noted> deaths;
        Gap least{0}; ///< silence of them
        Gap most{0};
        bool is_witnessed = false; ///< an older flow, less silent, lived
        Gap outlived{0};           ///< the longest silence that another lived through
    };
    static void note(Event& event, const FlowDeath& death, Monotonic now);
    static void recount(Event& event);
    static bool is_ripe(const Event& event, Monotonic now);
    static bool is_timeout(const Event& event);
    static void teach(Event& event, Monotonic now, std::vector<Lesson>& lessons);
    Event& event_of(const PathPlace& place, const FlowDeath& death, Monotonic now);
    void forget(const Event& event);

    std::map<PathKey, std::vector<Event>> events_;    ///< the newest last
    std::unordered_map<std::uint64_t, PathKey> dead_; ///< by cookie
    std::uint64_t table_full_ = 0;
};

} // namespace ballast::guards

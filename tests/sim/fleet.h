// SPDX-License-Identifier: Apache-2.0
// The flows of one path under one keepalive policy, event by event. Round trips take no time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "daemon/guards/keepalive/idle_bound.h"
#include "daemon/guards/keepalive/keepalive_choice.h"
#include "tests/sim/path.h"
#include "tests/sim/random.h"

namespace ballast::sim {

/// Neither fixed nor automatic: no keepalive.
struct Policy {
    std::string name;
    std::optional<guards::Keepalive> fixed;
    bool automatic = false;
    std::chrono::milliseconds longest{0}; ///< keepalive_max, if automatic; 0: as keepalive_start
};

/// What is counted, from time 0 on.
struct Outcome {
    /// Flows by the day on which they ended: those that the path forgot while they were open, were
    /// they used again or not, and those that keepalive gave up though the path knew them.
    std::vector<std::uint64_t> lost;
    std::uint64_t probes = 0;
    std::uint64_t drops_counted = 0;  ///< evidence that went into the bound
    std::uint64_t drops_outvoted = 0; ///< evidence that it took for loss
};

/// Flows of a pool: each is used at times of its own, lives for a day on average, and is replaced
/// when it ends. They run for a day without keepalive before time 0, where the policy is applied
/// to all of them; those that the path has forgotten by then count for nobody.
class Fleet {
public:
    static constexpr int flows = 40;
    static constexpr Ms mean_life = kDay;

    Fleet(const Path& path, const Policy& policy, std::uint64_t seed);

    /// Runs for so many days after time 0.
    Outcome run(int days);

private:
    struct Flow {
        Random random;            ///< the same uses and lives under every policy
        double place = 0;         ///< in the path's range of timeouts
        std::uint32_t number = 0; ///< its part in the jitter
        Ms forgotten_at = 0;      ///< by the path, if nothing passes until then
        Ms last_packet = 0;       ///< either way
        Ms last_heard = 0;
        Ms next_use = 0;
        Ms ends_at = 0;
        Ms next_probe = 0;
        std::uint32_t unanswered = 0;
        Ms silent_before = 0; ///< the gap before the first unanswered probe
        bool forgotten_before_start = false;
        std::optional<guards::Keepalive> keepalive = {};
        std::uint64_t version = 0; ///< which of its events in the queue is the right one
    };
    struct Event {
        Ms at = 0;
        std::size_t flow = 0;
        std::uint64_t version = 0;
        bool operator>(const Event& other) const {
            return at != other.at ? at > other.at : flow > other.flow;
        }
    };

    void open(std::size_t index, Ms now);
    void step(Ms until);
    void handle(std::size_t index, Ms now);
    void use(std::size_t index, Ms now);
    void probe(std::size_t index, Ms now);
    bool pass(Flow& flow, Ms now);
    void count_lost(const Flow& flow, Ms now);
    void lose(std::size_t index, Ms gap, Ms now);
    void drop_seen(Ms gap, Ms now);
    void gap_seen(Ms gap, Ms now);
    void schedule(std::size_t index);
    void start();
    void restart_path(Ms now);
    void retune(Ms now);
    [[nodiscard]] std::optional<guards::Keepalive> keepalive_of(const Flow& flow, Ms now) const;

    const Path& path_;
    const Policy& policy_;
    Random loss_;
    std::vector<Flow> flows_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    guards::IdleBound bound_;
    Ms idle_in_force_ = 0; ///< of `auto`, before jitter
    bool started_ = false;
    Outcome outcome_;
};

} // namespace ballast::sim

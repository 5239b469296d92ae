// SPDX-License-Identifier: Apache-2.0
// A simulated path and server for Discovery, in fake time: what it commands is done, and what would
// come of it happens.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>

#include "cli/discover/discovery.h"

namespace ballast::test {

using discovery::Discovered;
using discovery::Discovery;
using discovery::Findings;
using discovery::Gap;

struct WorldOptions {
    std::optional<Gap> timeout = {}; ///< of the path; none: it never forgets
    bool resets = false;             ///< what it forgot is answered with RST
    Gap rtt{1};
    double loss = 0;                            ///< of a probe or its answer,
    int most_in_a_row = 3;                      ///< but no more of one flow in a row
    Gap late{5};                                ///< the host does things up to so much too late
    std::optional<Gap> closes_after = {};       ///< the server, by FIN
    std::optional<Gap> resets_after = {};       ///< the server, or an announcing device
    std::optional<Gap> greets_after = {};       ///< it sends something so long after connect,
    std::optional<Gap> talks_every = {};        ///< and then again and again
    std::optional<Gap> dies_at = {};            ///< accepts and answers nothing from then on
    std::optional<Gap> restarts_at = {};        ///< resets all connections
    std::optional<Gap> closes_youngest_at = {}; ///< by FIN, for no reason
    std::optional<Gap> outage_at = {};          ///< nothing passes, for
    Gap outage_for{0};
    unsigned refuses_after = 1'000'000; ///< connections that this host lets be open at a time
};

class World {
public:
    using Time = Discovery::Time;

    World(const discovery::DiscoveryOptions& wanted, const WorldOptions& options,
          std::uint32_t seed)
        : options_(options), connections_(wanted.connections), discovery_(wanted), random_(seed) {
        if (options_.restarts_at)
            at(begin_ + *options_.restarts_at, [this] { restart(); });
        if (options_.closes_youngest_at)
            at(begin_ + *options_.closes_youngest_at, [this] { close_youngest(); });
    }

    /// Until it is done, or `at_most` is over.
    const Findings& run(Gap at_most = std::chrono::hours(100)) {
        obey();
        while (discovery_.findings().state == Discovered::running && now_ < begin_ + at_most)
            next();
        obey();
        return discovery_.findings();
    }

    [[nodiscard]] Gap elapsed() const { return std::chrono::duration_cast<Gap>(now_ - begin_); }
    [[nodiscard]] std::size_t most_open() const { return most_open_; }
    [[nodiscard]] const std::string& wrong() const { return wrong_; }
    [[nodiscard]] bool anything_open() const { return !flows_.empty(); }
    [[nodiscard]] unsigned lost() const { return lost_; }

private:
    struct Flow {
        Time last_packet; ///< as the path sees it
        bool connected = false;
        bool closed = false; ///< by the peer
        int lost_in_a_row = 0;
    };

    void at(Time when, std::function<void()> what) { events_.emplace(when, std::move(what)); }
    Gap lateness() {
        return Gap(std::uniform_int_distribution<Gap::rep>(0, options_.late.count())(random_));
    }
    bool loses() { return std::uniform_real_distribution<>(0, 1)(random_) < options_.loss; }
    [[nodiscard]] bool down() const {
        const bool out = options_.outage_at && now_ >= begin_ + *options_.outage_at &&
                         now_ < begin_ + *options_.outage_at + options_.outage_for;
        return out || (options_.dies_at && now_ >= begin_ + *options_.dies_at);
    }
    [[nodiscard]] bool forgotten(const Flow& flow) const {
        return options_.timeout && now_ - flow.last_packet >= *options_.timeout;
    }

    void next() {
        std::optional<Time> when = discovery_.next_due(now_);
        if (when)
            when = std::max(*when, now_) + lateness();
        if (!events_.empty() && (!when || events_.begin()->first <= *when)) {
            now_ = std::max(now_, events_.begin()->first);
            const auto what = events_.begin()->second;
            events_.erase(events_.begin());
            what();
        } else if (when) {
            now_ = *when;
        } else {
            wrong_ = "nothing is due";
            now_ += std::chrono::hours(1'000);
        }
        obey();
    }

    void obey() {
        for (const auto& [act, number] : discovery_.due(now_))
            if (act == Discovery::Act::open)
                connect(number);
            else if (act == Discovery::Act::probe)
                probe(number);
            else
                flows_.erase(number);
        most_open_ = std::max(most_open_, flows_.size());
        if (flows_.size() > connections_)
            wrong_ = "more open than allowed";
        if (discovery_.open() != flows_.size())
            wrong_ = "it counts others than there are";
    }

    void connect(Discovery::Flow number) {
        flows_[number] = {};
        if (flows_.size() > options_.refuses_after) {
            flows_.erase(number);
            return discovery_.refused_here(number, now_);
        }
        const bool accepted = !down();
        at(now_ + options_.rtt, [this, number, accepted] {
            if (!flows_.contains(number))
                return;
            if (!accepted) {
                flows_.erase(number);
                return discovery_.failed_to_open(number, now_);
            }
            flows_[number].connected = true;
            flows_[number].last_packet = now_;
            discovery_.opened(number, now_, now_ + lateness(), options_.rtt);
            serve(number);
        });
    }

    /// What the server does by itself.
    void serve(Discovery::Flow number) {
        const auto end = [this, number](bool reset) {
            Flow* flow = known(number);
            if (flow == nullptr || flow->closed || (options_.timeout && forgotten(*flow)))
                return;
            flow->closed = true;
            reset ? discovery_.was_reset(number, now_) : discovery_.finished(number, now_);
            if (discovery_.open() != flows_.size())
                flows_.erase(number);
        };
        if (options_.closes_after)
            at(now_ + *options_.closes_after, [end] { end(false); });
        if (options_.resets_after)
            at(now_ + *options_.resets_after, [end] { end(true); });
        if (options_.greets_after)
            at(now_ + *options_.greets_after, [this, number] { talk(number); });
    }

    void talk(Discovery::Flow number) {
        Flow* flow = known(number);
        if (flow == nullptr || forgotten(*flow))
            return;
        flow->last_packet = now_;
        discovery_.stirred(number, now_, now_ + lateness());
        if (options_.talks_every)
            at(now_ + *options_.talks_every, [this, number] { talk(number); });
    }

    void restart() {
        const auto all = flows_;
        for (const auto& [number, flow] : all) {
            if (!flow.connected)
                continue;
            discovery_.was_reset(number, now_ + lateness());
            flows_.erase(number);
        }
    }

    void close_youngest() {
        const Discovery::Flow number = flows_.rbegin()->first;
        discovery_.finished(number, now_);
        flows_.erase(number);
    }

    void probe(Discovery::Flow number) {
        Flow* flow = known(number);
        if (flow == nullptr || flow->closed)
            return void(wrong_ = "probed what is not there");
        const bool gone = forgotten(*flow);
        discovery_.probe_left(number, now_ + lateness());
        if (gone && !options_.resets)
            return;
        const bool misses = loses() && flow->lost_in_a_row < options_.most_in_a_row;
        flow->lost_in_a_row = misses ? flow->lost_in_a_row + 1 : 0;
        lost_ += misses ? 1 : 0;
        if (misses || down())
            return;
        if (!gone)
            flow->last_packet = now_;
        at(now_ + options_.rtt, [this, number, gone] { reply(number, gone); });
    }

    void reply(Discovery::Flow number, bool reset) {
        Flow* flow = known(number);
        if (flow == nullptr || flow->closed)
            return;
        flow->closed = reset;
        reset ? discovery_.was_reset(number, now_) : discovery_.answered(number, now_);
    }

    Flow* known(Discovery::Flow number) {
        const auto found = flows_.find(number);
        return found == flows_.end() || !found->second.connected ? nullptr : &found->second;
    }

    WorldOptions options_;
    std::size_t connections_;
    const Time begin_{std::chrono::hours(1)};
    Time now_ = begin_;
    Discovery discovery_;
    std::mt19937 random_;
    std::multimap<Time, std::function<void()>> events_;
    std::map<Discovery::Flow, Flow> flows_;
    std::size_t most_open_ = 0;
    unsigned lost_ = 0;
    std::string wrong_;
};

} // namespace ballast::test

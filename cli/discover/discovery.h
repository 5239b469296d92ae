// SPDX-License-Identifier: Apache-2.0
// Measures a path's idle timeout with its own connections: decides what to do when, keeps results.
// Pure: events and the time go in, commands come out; sockets are the caller's.
//
// Each connection stays silent for one gap, is then probed without payload (a keepalive probe) and
// is closed. The choice of gaps is explained in gap_search.h. When a probe stays unanswered, a
// fresh connection, the witness, distinguishes a path that dropped the flow from a destination that
// is down: probe_judge.h.
//
// Invariants:
//  1. At most `connections` are open, the witness included.
//  2. survived < died wherever both are known. Where every flow has the same timeout it is within
//     [survived, died], if no whole volley of probes is lost (probe_judge.h). Where one is lost and
//     the timeout is less than it takes to send the next probes above the gap, died is as much
//     too low.
//  3. A silence that something else broke does not count: it starts over.
//  4. Connections that all end at once, whatever their age, say nothing about the idle timeout.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "cli/discover/gap_search.h"
#include "cli/discover/probe_judge.h"

namespace ballast::discovery {

struct DiscoveryOptions {
    Gap longest = std::chrono::minutes(15); ///< timeout looked for; kShortestGap or more
    int resolution_percent = 15;            ///< 5..100: width of the bracket
    std::size_t connections = 12;           ///< 2 or more: most that are open at a time
};

/// How a path was seen to forget a flow.
enum class Death : std::uint8_t {
    silently_dropped, ///< probes stay unanswered
    reset,            ///< probes are answered with RST
    reset_unasked,    ///< RST came by itself, as from a device that announces its timeout
};

enum class Discovered : std::uint8_t {
    running,
    bracketed,      ///< survived (unless the shortest gap died) and died are known
    none_up_to_max, ///< the longest gap survived
    peer_closes,    ///< the peer ends idle connections itself; longer gaps cannot be tried
    closes_at_once, ///< it ends connections before the shortest gap
    ends_at_will,   ///< connections end at ages that have nothing to do with silence: a restart
    not_silent,     ///< something keeps breaking the silence
    cannot_open,    ///< connections can no longer be opened
};

/// Results so far.
struct Findings {
    Discovered state = Discovered::running;
    std::optional<Gap> survived;
    std::optional<Gap> died; ///< in which flows were dropped, reset, or ended
    Death death = Death::silently_dropped;
    std::optional<Gap> closes_after; ///< peer_closes, closes_at_once: age of the connection
    unsigned opened = 0;             ///< connections, witnesses included
    unsigned volleys_lost = 0;       ///< of flows that answered a later probe
    unsigned silences_broken = 0;
    unsigned contradictions = 0; ///< flows that survived longer than another did
    unsigned odd_ends = 0;       ///< connections that ended sooner than others survived
};

class Discovery {
public:
    using Time = ProbeJudge::Time;
    using Flow = unsigned; ///< a connection's number; never used twice

    enum class Act {
        open,  ///< connect
        probe, ///< send one keepalive probe
        close, ///< in order: the path still knows it
        abort, ///< leave nothing behind: nobody would acknowledge a FIN
    };
    struct Command {
        Act act;
        Flow flow;
    };

    /// Connections in a row that may fail to open; pauses grow from the first to the second.
    static constexpr unsigned most_failures = 6;
    static constexpr Gap first_pause{500};
    static constexpr Gap longest_pause{8'000};
    /// Times that one connection's silence may be broken, once it has had time for a greeting.
    static constexpr unsigned most_broken = 3;
    static constexpr Gap greeting{10'000};
    static constexpr unsigned most_odd_ends = 6;
    /// Connections that end within this time of each other ended together.
    static constexpr Gap together{250};

    explicit Discovery(const DiscoveryOptions& options);

    /// Commands due now. Once the state is not running, all open connections are closed.
    std::vector<Command> due(Time now);
    /// When due() will have something to do if nothing happens before.
    [[nodiscard]] std::optional<Time> next_due(Time now) const;

    /// Connected. Its last packet was sent or received within [earliest, latest].
    void opened(Flow flow, Time earliest, Time latest, std::chrono::microseconds rtt);
    void failed_to_open(Flow flow, Time now);
    /// The host itself refused it, as Ballast does at a limit: there are no more places than those
    /// taken, and fewer connections are used from now on.
    void refused_here(Flow flow, Time now);
    /// A packet other than a probe and its answer was seen, as in opened().
    void stirred(Flow flow, Time earliest, Time latest);
    /// The probes that were commanded have left by now.
    void probe_left(Flow flow, Time now);
    void answered(Flow flow, Time now);
    /// The peer closed it, with FIN or with RST.
    void finished(Flow flow, Time now) { ended(flow, false, now); }
    void was_reset(Flow flow, Time now) { ended(flow, true, now); }
    /// It ended otherwise: nothing is learned of it.
    void lost(Flow flow, Time now);

    [[nodiscard]] const Findings& findings() const { return findings_; }
    /// Connections that are open or being opened.
    [[nodiscard]] std::size_t open() const { return flows_.size(); }
    /// When the next connection is to be probed.
    [[nodiscard]] std::optional<Time> next_probe() const;
    [[nodiscard]] bool awaits_answers() const;

private:
    struct Idle {
        std::optional<GapSearch::Rung> rung; ///< none: the witness
        Time begun;
        bool connected = false;
        Time earliest;        ///< silent since then at the earliest,
        Time latest;          ///< and at the latest
        bool stirred = false; ///< since it was opened
        unsigned broken = 0;  ///< so, and not just greeted
        std::optional<ProbeJudge> judge;
        Gap gap{0};                     ///< at least, when probed
        std::optional<Gap> gap_at_most; ///< once the probe has left
    };
    struct End {
        Gap age;
        bool reset;
        Time at;
        bool stirred; ///< so its age as the other end counts it is not certain
    };
    using Flows = std::map<Flow, Idle>;

    void ended(Flow flow, bool reset, Time now);
    void judge_end(bool reset, Gap age, Time now);
    void judge_ends(Time now);
    void close_surplus(std::vector<Command>& commands);
    void close_needless(std::vector<Command>& commands);
    void probe_due(std::vector<Command>& commands, Time now);
    void judge_probed(std::vector<Command>& commands, Time now);
    void open_more(std::vector<Command>& commands, Time now);
    void open_one(std::vector<Command>& commands, Time now, std::optional<GapSearch::Rung> rung);
    void close_all(std::vector<Command>& commands);
    void survive(Gap gap);
    void die(Flow flow, Death death, Time now);
    void settle();
    void pause(Time now);
    void learn_nothing();
    void release(Flow flow);
    [[nodiscard]] std::optional<Time> probe_time(const Idle& idle) const;
    [[nodiscard]] bool wants_witness(Time now) const;

    DiscoveryOptions options_;
    GapSearch search_;
    Findings findings_;
    Flows flows_;
    std::vector<End> ends_;
    std::optional<Time> paused_until_;
    unsigned failures_ = 0; ///< to open, in a row
    Flow last_flow_ = 0;
    std::vector<Flow> void_; ///< probed while the destination could not be reached
    std::optional<Flow> witness_;
    ProbeJudge::Wait answer_wait_;
};

} // namespace ballast::discovery

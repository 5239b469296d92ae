// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/wiring/flow_keeper.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "daemon/guards/half_open/wiring/diag_facts.h"
#include "daemon/kernel/instance.h"
#include "daemon/policy/policy_publisher.h"
#include "daemon/util/clock.h"
#include "daemon/util/log.h"

namespace ballast::guards {

namespace {

using std::chrono::milliseconds;

/// Most time for examining peers in one turn, and then at most a fifth of all time.
constexpr milliseconds longest_look{50};
constexpr int cost_share = 5;
/// A destination that something was received of within this time is in use.
constexpr std::uint32_t in_use_ms = 60'000;
/// Retry delay for a namespace that cannot be read.
constexpr std::chrono::seconds pause_after_failure{10};

/// Whether it says anything of the destination that a breaker should count: not a reader that is
/// busy elsewhere, a queue that is full for a moment, this host's own fault or a path's packet
/// size.
bool is_of_destination(HalfOpenKind kind) {
    return kind == HalfOpenKind::silently_dropped || kind == HalfOpenKind::path_down ||
           kind == HalfOpenKind::refused_late;
}

} // namespace

FlowKeeper::FlowKeeper(const Surroundings& around, std::unique_ptr<FlowFacts> facts)
    : datapath_(around.instance.maps()), suspicions_map_(around.instance.maps().suspicions.get()),
      services_(around.instance.services()), governor_(around.governor), findings_(around.findings),
      report_(around.instance.maps(), around.instance.programs().report_program()),
      policy_(around.policy), neighbours_(around.neighbours), facts_(std::move(facts)),
      resetter_(
          *facts_, [this](const std::string& service) { return rules_of(service); },
          [this](auto proof, auto now) { return governor_.lock()->leave_to_reset(proof, now); },
          [this](const PeerKey& peer) { return guard_.heard_of(peer); },
          [this](const HalfOpenVerdict& verdict, FlowAct act, Mode mode, bool is_later) {
              on_act(verdict, act, mode, is_later);
          }) {}

Result<std::unique_ptr<Guard>> FlowKeeper::make(const Surroundings& around) {
    std::unique_ptr<FlowKeeper> keeper(
        new FlowKeeper(around, std::make_unique<DiagFacts>("/proc")));
    if (auto listening = keeper->listen(around.loop); !listening)
        return fail(listening.error());
    return keeper;
}

Result<void> FlowKeeper::listen(EventLoop& loop) {
    auto suspicions = kernel::Suspicions::open(
        suspicions_map_, [this](const kernel::Suspected& one) { on_suspicion(one); });
    if (!suspicions)
        return fail(suspicions.error());
    suspicions_ = std::make_unique<kernel::Suspicions>(std::move(*suspicions));
    auto timer = loop.timer([this] { turn(); });
    if (!timer)
        return fail(timer.error());
    timer_ = std::move(*timer);
    auto readable = loop.on_readable(suspicions_->descriptor(), [this] { turn(); });
    if (!readable)
        return fail(readable.error());
    readable_ = std::move(*readable);
    return {};
}

void FlowKeeper::changed(const PolicyInForce& now) {
    const Policy& policy = now.policy();
    unsigned confirm =
        policy.mode(GuardKind::half_open) == Mode::off ? 0U : HalfOpen{}.confirm_retransmits;
    wants_answers_ = false;
    for (const auto& service : policy.services) {
        if (service.half_open.mode == Mode::off)
            continue;
        confirm = std::max<unsigned>(confirm, service.half_open.confirm_retransmits);
        wants_answers_ = wants_answers_ || service.half_open.response_timeout.count() != 0;
    }
    // One more than a lossy path needs; without it, the path would not be known to be down.
    datapath_.report_suspects(suspect_after,
                              confirm == 0 ? 0U : confirm + guards::Suspect::lossy_extra + 1);
}

/// From the policy for the endpoint if no reservation names the service.
std::string FlowKeeper::service_at(std::uint16_t id, const Endpoint& remote,
                                   Direction direction) const {
    if (direction == Direction::inbound)
        return {};
    if (id != 0)
        return services_.service_name(id);
    const auto in_force = policy_.now();
    const Service* governing = in_force->governing(remote);
    return governing ? governing->name : std::string();
}

HalfOpen FlowKeeper::rules_of(const std::string& service) const {
    const auto in_force = policy_.now();
    const Service* known = in_force->service(service);
    HalfOpen rules = known ? known->half_open : HalfOpen{};
    rules.mode = in_force->mode(GuardKind::half_open, known);
    return rules;
}

void FlowKeeper::on_suspicion(const kernel::Suspected& suspected) {
    suspect(suspected.suspicion, suspected.service);
}

/// `service`: its id, 0: none.
void FlowKeeper::suspect(Suspicion suspicion, std::uint16_t service) {
    suspicion.service = service_at(service, suspicion.key.remote, suspicion.direction);
    const HalfOpen rules = rules_of(suspicion.service);
    if (rules.mode == Mode::off)
        return;
    guard_.on_suspicion(suspicion, {.confirm = rules.confirm_retransmits,
                                    .may_connect = rules.witness == HalfOpenWitness::connect});
}

void FlowKeeper::fail_softly(const Error& error) {
    if (counted_.not_looked_at++ == 0)
        log::warn("half-open flows: cannot read facts about a flow (counted, not logged again): {}",
                  error.text());
}

/// Looks up suspects missing from the list: absence does not prove that they are gone.
void FlowKeeper::look_at_missing(const PeerKey& peer, const FlowList& list) {
    std::unordered_set<std::uint64_t> found;
    for (const auto& socket : list.flows)
        found.insert(socket.key.cookie);
    for (const auto& key : guard_.suspects_of(peer)) {
        if (found.contains(key.cookie))
            continue;
        const auto one = facts_->find(peer.netns, key);
        if (one)
            guard_.on_flow(key, *one, now());
        else
            fail_softly(one.error());
    }
}

void FlowKeeper::look_at(const PeerKey& peer) {
    const auto list = facts_->flows_of(peer, most_flows);
    if (!list) {
        fail_softly(list.error());
        guard_.postpone(peer, now() + pause_after_failure);
        return;
    }
    if (list->cut_off || list->interrupted)
        look_at_missing(peer, *list);
    guard_.on_flows(peer, *list, now());
}

void FlowKeeper::look_at_peers() {
    const auto began = now();
    for (const auto& peer : guard_.due(began)) {
        if (now() - began > longest_look)
            break; // the others are due at the next turn
        look_at(peer);
    }
}

void FlowKeeper::ask_witnesses() {
    witness_.look(now(), [this](const PeerKey& peer, bool is_answered) {
        guard_.on_witness(peer, is_answered, now());
    });
    for (const auto& peer : guard_.wants_witness())
        if (auto asked = witness_.ask(peer, now()); !asked)
            fail_softly(asked.error().context("make a fresh connect"));
}

/// Before acting: a process freed by a reset closes the socket.
void FlowKeeper::name_owner(HalfOpenVerdict& verdict) {
    if (verdict.kind == HalfOpenKind::cleared || verdict.is_orphan || verdict.has_ended)
        return;
    if (verdict.inode == 0)
        if (const auto found = facts_->find(verdict.netns, verdict.key); found && *found) {
            verdict.inode = (*found)->inode;
            verdict.state = (*found)->state;
        }
    verdict.owner = findings_.owner_of(verdict.netns, verdict.inode);
}

void FlowKeeper::add(HalfOpenVerdict verdict) {
    name_owner(verdict);
    const bool is_outbound = verdict.direction == Direction::outbound;
    if (verdict.kind == HalfOpenKind::path_down && is_outbound)
        on_dead_path(verdict.peer());
    const bool is_failure = is_of_destination(verdict.kind) && !verdict.is_revised;
    if (is_outbound && !verdict.is_orphan && is_failure)
        feed_breaker(verdict);
    neighbours_.on_verdict(verdict);
    resetter_.on_verdict(verdict, now());
}

void FlowKeeper::on_dead_path(const PeerKey& peer) {
    dead_paths_.try_emplace(peer, now());
    governor_.lock()->on_dead_path(peer);
    follow_dead_paths();
}

/// A path is dead until something is heard of it.
void FlowKeeper::follow_dead_paths() {
    if (dead_paths_.empty() && !is_holding_)
        return;
    const auto time = now();
    auto governor = governor_.lock();
    for (auto at = dead_paths_.begin(); at != dead_paths_.end();) {
        const auto heard = guard_.heard_of(at->first);
        const bool is_alive = heard && *heard > at->second + FlowResetter::margin;
        const bool has_left = !is_alive && !guard_.is_following(at->first);
        if (is_alive)
            governor->on_live_path(at->first);
        if (has_left)
            governor->on_left_path(at->first, time);
        at = is_alive || has_left ? dead_paths_.erase(at) : std::next(at);
    }
    const auto hold = governor->judge_paths(time);
    counted_.dead_paths = hold.dead;
    counted_.paths = hold.paths;
    if (std::exchange(is_holding_, hold.is_held) != hold.is_held)
        tell_hold(hold);
    counted_.is_holding = hold.is_held;
}

void FlowKeeper::tell_hold(const govern::Governor::PathHold& hold) {
    Finding finding;
    finding.reason =
        hold.is_held ? findings::Reason::observer_fault : findings::Reason::observer_fault_over;
    finding.evidence =
        fmt::format("silent_destinations={} of={} resets={}", hold.dead,
                    std::max(hold.paths, hold.dead), hold.is_held ? "held" : "released");
    findings_.add(std::move(finding));
}

void FlowKeeper::on_act(const HalfOpenVerdict& verdict, FlowAct act, Mode mode, bool is_later) {
    digest_.add(verdict, mode, act, is_later);
    if (act != FlowAct::reset)
        return;
    guard_.forget(verdict.key.cookie);
    hung_.forget(verdict.key.cookie);
    tell_ended(verdict);
}

/// A flow that was reset gets no later verdict to report its end.
void FlowKeeper::tell_ended(HalfOpenVerdict verdict) {
    verdict.has_ended = verdict.is_reset = true;
    neighbours_.on_verdict(verdict);
}

void FlowKeeper::feed_breaker(const HalfOpenVerdict& verdict) {
    const auto id = policy_.now()->id_of(verdict.service);
    if (id == 0)
        return;
    if (auto told = report_.half_open_flow(id, verdict.key.remote); !told)
        fail_softly(told.error().context("tell a breaker"));
}

/// For the governor: destinations with open flows that were in use lately. Of idle ones nothing is
/// known, so they neither speak for this host's network nor against it.
void FlowKeeper::count_paths(std::span<const PeerRow> peers) {
    governor_.lock()->set_paths(
        static_cast<std::size_t>(std::ranges::count_if(peers, [](const PeerRow& peer) {
            return peer.governed > 0 && (peer.idle_min_ms < in_use_ms || peer.retransmitting > 0);
        })));
}

bool FlowKeeper::is_busy() const {
    return !guard_.is_idle() || digest_.has_pending() || witness_.is_asking() ||
           resetter_.has_waiting() || is_holding_ || !dead_paths_.empty() ||
           !hung_.unsent().empty();
}

void FlowKeeper::tell() {
    for (auto& finding : digest_.take(now()))
        findings_.add(std::move(finding));
}

/// Runs after each record and, while there is something to watch, ten times a second.
void FlowKeeper::turn() {
    const auto began = now();
    suspicions_->consume();
    resetter_.turn(began);
    look_at_peers();
    ask_witnesses();
    look_at_unsent();
    for (auto& verdict : guard_.judge(now())) {
        name_local_fault(verdict);
        ++counted_.verdicts.at(static_cast<std::size_t>(verdict.kind));
        add(std::move(verdict));
    }
    follow_dead_paths();
    tell();
    publish();
    plan(now() - began);
}

void FlowKeeper::plan(std::chrono::nanoseconds cost) {
    if (!is_busy()) {
        facts_->rest();
        return;
    }
    timer_.arm(std::max<std::chrono::nanoseconds>(guards::HalfOpenGuard::quick, cost_share * cost));
}

void FlowKeeper::publish() {
    HalfOpenStatus status = counted_;
    const auto& counts = guard_.counts();
    status.suspects = guard_.suspects();
    status.suspected = counts.suspected;
    status.recovered = counts.recovered;
    status.ended = counts.ended;
    status.coalesced = digest_.coalesced();
    status.table_full = counts.table_full + hung_.table_full();
    const auto acts = [this](auto... of) {
        return (resetter_.counts().at(static_cast<std::size_t>(of)) + ...);
    };
    status.reset = acts(FlowAct::reset);
    status.reset_withheld = acts(FlowAct::observe, FlowAct::dry_run);
    status.reset_waiting = resetter_.waiting();
    status.reset_failed = acts(FlowAct::failed, FlowAct::too_old, FlowAct::full);
    published_.set(status);
}

void FlowKeeper::report(DaemonStatus& status) const {
    status.half_open = published_.get();
}

} // namespace ballast::guards

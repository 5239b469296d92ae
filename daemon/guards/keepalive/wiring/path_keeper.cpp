// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/keepalive/wiring/path_keeper.h"

#include <algorithm>
#include <ctime>

#include "daemon/guards/keepalive/keepalive_choice.h"
#include "daemon/kernel/instance.h"
#include "daemon/policy/policy_publisher.h"
#include "daemon/util/clock.h"
#include "daemon/util/log.h"
#include "daemon/util/loop_thread.h"

namespace ballast::guards {

namespace {

using std::chrono::milliseconds;

guards::GapLook look_at_gap(const SweptFlow& flow) {
    return {.cookie = flow.cookie,
            .heard = flow.heard,
            .quiet = flow.quiet,
            .packets_in = flow.packets_in,
            .packets_out = flow.packets_out,
            .is_trying = flow.retransmits != 0 || flow.probes != 0};
}

/// Where a flow has something to wait for, be it closed by its program already.
bool may_wait(TcpState state) {
    return state == TcpState::established || state == TcpState::fin_wait1 ||
           state == TcpState::close_wait || state == TcpState::last_ack;
}

std::chrono::nanoseconds read_clock(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// `service` may be null: none governs it.
PathPlace place_of(const Endpoint& destination, const Service* service) {
    return service ? PathPlace{destination, service->keepalive.learn_prefix}
                   : PathPlace{destination};
}

/// The silence before a probe if nothing is known.
milliseconds start_of(const KeepaliveRule& rule) {
    return rule.kind == KeepaliveKind::fixed ? rule.idle : rule.start;
}

} // namespace

PathKeeper::PathKeeper(const Surroundings& around)
    : destinations_(around.instance.maps()), datapath_(around.instance.maps()),
      policy_(around.policy), writer_(around.writer), sweep_began_(now()), saved_(sweep_began_) {}

Result<std::unique_ptr<Guard>> PathKeeper::make(const Surroundings& around) {
    std::unique_ptr<PathKeeper> keeper(new PathKeeper(around));
    keeper->open_store(around.store_file);
    return keeper;
}

void PathKeeper::open_store(const std::filesystem::path& file) {
    auto store = BoundStore::open(file);
    if (!store) {
        log::error("what is learned of paths will not outlive this daemon: {}",
                   store.error().text());
        return;
    }
    store_ = std::move(*store);
    recall();
}

void PathKeeper::recall() {
    const auto stored = store_->bounds();
    if (!stored) {
        log::error("what was learned of paths is lost: {}", stored.error().text());
        return;
    }
    const auto wall = std::chrono::system_clock::now();
    for (const auto& row : *stored) {
        const auto age = std::chrono::duration_cast<milliseconds>(wall - row.saved);
        const auto bound = guards::IdleBound::restore(row.state, age, now());
        if (bound)
            book_.recall(row.path, *bound, now());
        else
            log::warn("what was learned of the path to {} is lost: {}", row.path.text(),
                      bound.error().text());
    }
}

void PathKeeper::look_at(const SweptFlow& flow, const Service& service) {
    const PathPlace place = place_of(flow.remote, &service);
    const auto look = look_at_gap(flow);
    const auto born = ages_.on_flow(flow.cookie, now());
    const auto gap = watch_.on_flow(look, now());
    if (gap) {
        events_.acquit(flow.cookie);
        book_.survived(place, *gap, now());
    }
    if (look.is_trying) {
        const milliseconds idle(flow.idle);
        const milliseconds trying(flow.retransmits != 0 ? flow.trying_ms : 0U);
        tries_.on_trying({.cookie = flow.cookie,
                          .remote = flow.remote,
                          .trying = trying <= idle ? trying : milliseconds(0),
                          .since_try = flow.quiet,
                          .probes = flow.retransmits != 0 ? 0U : flow.probes},
                         now());
        trying_.insert_or_assign(flow.cookie, place);
        return;
    }
    const auto heard = now() - flow.idle;
    if (tries_.is_watched(flow.remote))
        tries_.on_heard(flow.remote, heard);
    if (events_.is_open(place.own))
        events_.lived(place.own,
                      {.gap = gap.value_or(milliseconds(0)), .born = born, .heard = heard});
}

void PathKeeper::observe(std::span<const SweptFlow> flows) {
    const auto in_force = policy_.now();
    const std::scoped_lock lock(mutex_);
    for (const auto& flow : flows) {
        if (flow.is_inbound)
            locals_.on_accepted(flow.netns, flow.remote);
        const bool is_governed = flow.is_reserved && flow.cookie;
        const Service* service = is_governed ? in_force->service(flow.service) : nullptr;
        if (!service || service->keepalive.mode == Mode::off || !may_wait(flow.state) ||
            locals_.is_local(flow.netns, flow.local, flow.remote))
            continue;
        look_at(flow, *service);
    }
}

void PathKeeper::report(DaemonStatus& status) const {
    status.keepalive = kept_alive_.get();
}

void PathKeeper::end_sweep(const SweepSummary& summary) {
    kept_alive_.set(summary.keepalive);
    if (settle() && writer_.busy_for().count() == 0)
        writer_.post([this] { save(); });
}

void PathKeeper::stop() {
    writer_.post([this] { save(); });
}

/// What was silent while the host slept is no evidence, and may have been forgotten: it is probed.
void PathKeeper::look_at_clocks() {
    const auto step = clocks_.look({.monotonic = now().time_since_epoch(),
                                    .boottime = read_clock(CLOCK_BOOTTIME),
                                    .realtime = read_clock(CLOCK_REALTIME)});
    if (!step)
        return;
    log::info("the host slept for {} s, or its clock was set: connections that were silent are "
              "probed, and nothing is learned of them",
              std::chrono::duration_cast<std::chrono::seconds>(*step).count());
    watch_.slept(now());
    events_.forget();
    tries_.forget();
    datapath_.report_sleep(now());
}

/// Flows that tried in vain while their destination was there.
void PathKeeper::note_dead_tries() {
    for (const auto cookie : tries_.end_sweep(sweep_began_, now())) {
        const auto place = trying_.find(cookie);
        const auto gap = watch_.before_trying(cookie);
        if (place == trying_.end() || !gap)
            continue;
        events_.died(place->second,
                     {.cookie = cookie,
                      .gap = *gap,
                      .silent_since = now() - *gap,
                      .tried = now(),
                      .is_final = true},
                     now());
    }
    std::erase_if(trying_, [&](const auto& entry) { return !tries_.knows(entry.first); });
}

/// Whether to save what is known now.
bool PathKeeper::settle() {
    const std::scoped_lock lock(mutex_);
    look_at_clocks();
    note_dead_tries();
    watch_.end_sweep(sweep_began_);
    ages_.end_sweep(sweep_began_);
    locals_.end_sweep();
    for (const auto& lesson : events_.settle(now()))
        book_.died(lesson.place, lesson.gap, now());
    book_.settle(now());
    sweep_began_ = now();
    tell_programs();
    const auto full = watch_.table_full() + book_.table_full() + events_.table_full();
    if (full != told_full_) {
        log::warn("paths: a table is full, {} times so far something was not learned", full);
        told_full_ = full;
    }
    return book_.has_died_since_taken() || now() - saved_ >= save_interval;
}

/// What they teach, if anything, is decided with other flows of the path (loss_events.h).
void PathKeeper::on_verdict(const HalfOpenVerdict& verdict) {
    const auto in_force = policy_.now();
    const std::scoped_lock lock(mutex_);
    if (verdict.kind == HalfOpenKind::cleared)
        events_.acquit(verdict.key.cookie);
    const bool is_refused = verdict.kind == HalfOpenKind::refused_late;
    const bool is_outbound = verdict.direction == Direction::outbound;
    if ((!is_refused && verdict.kind != HalfOpenKind::silently_dropped) || !is_outbound ||
        !ages_.is_known(verdict.key.cookie) ||
        locals_.is_local(verdict.netns, verdict.key.local, verdict.key.remote))
        return;
    // One that no sweep saw silent was in use.
    const auto gap = watch_.before_trying(verdict.key.cookie);
    events_.died(place_of(verdict.key.remote, in_force->service(verdict.service)),
                 {.cookie = verdict.key.cookie,
                  .gap = gap.value_or(milliseconds(0)),
                  .silent_since = now() - verdict.silent,
                  .tried = now(),
                  .is_final = is_refused || (verdict.has_ended && !verdict.is_reset)},
                 now());
}

void PathKeeper::tell_programs() {
    if (book_.is_empty() && !has_told_)
        return;
    has_told_ = !book_.is_empty();
    const auto in_force = policy_.now();
    destinations_.tell_of_paths([&](const Destination& destination) {
        return times_of(destination.endpoint, in_force->service(destination.service));
    });
}

KeepaliveTimes PathKeeper::times_of(const Endpoint& destination, const Service* service) const {
    const auto bracket = book_.at(place_of(destination, service), now());
    if (!service || !bracket || !(bracket->survived || bracket->died))
        return {};
    const milliseconds start = start_of(service->keepalive);
    const milliseconds max = service->keepalive.max;
    return {.longest = guards::longest_idle(*bracket, start, std::max(start, max)),
            .died = bracket->died.value_or(milliseconds(0))};
}

std::optional<PathReport> PathKeeper::at(const Endpoint& destination, std::uint16_t service) const {
    const auto in_force = policy_.now();
    const std::scoped_lock lock(mutex_);
    return report_of(destination, in_force->service(service));
}

std::optional<PathReport> PathKeeper::report_of(const Endpoint& destination,
                                                const Service* service) const {
    const auto bracket = book_.at(place_of(destination, service), now());
    if (!bracket || !(bracket->survived || bracket->died))
        return std::nullopt;
    return PathReport{destination, bracket->survived, bracket->died, bracket->learned_in};
}

PathReport PathKeeper::learn(const PathReport& report, const std::string& service) {
    const auto in_force = policy_.now();
    const Service* by = in_force->service(service);
    const auto place = place_of(report.path, by);
    const std::scoped_lock lock(mutex_);
    if (report.survived)
        book_.survived(place, *report.survived, now());
    if (report.died)
        book_.died(place, *report.died, now());
    tell_programs();
    writer_.post([this] { save(); });
    log::info("path measured destination={} survived_ms={} died_ms={}", report.path.text(),
              report.survived.value_or(milliseconds(0)).count(),
              report.died.value_or(milliseconds(0)).count());
    return report_of(report.path, by).value_or(PathReport{report.path, {}, {}, {}});
}

void PathKeeper::save() {
    std::vector<StoredBound> known;
    std::vector<PathKey> gone;
    {
        const std::scoped_lock lock(mutex_);
        saved_ = now();
        for (const auto& change : book_.take_changes()) {
            if (change.bound)
                known.push_back(
                    {change.path, std::chrono::system_clock::now(), change.bound->save(saved_)});
            else
                gone.push_back(change.path);
        }
    }
    if (known.empty() && gone.empty())
        return;
    const std::scoped_lock lock(store_mutex_);
    if (!store_)
        return;
    if (auto written = store_->put(known, gone); !written)
        log::error("what was learned of paths may be lost: {}", written.error().text());
}

} // namespace ballast::guards

// SPDX-License-Identifier: Apache-2.0
#include "daemon/observe/sweep_runner.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "daemon/govern/sweep_pace.h"
#include "daemon/util/clock.h"
#include "daemon/util/log.h"

namespace ballast::observe {

SweepRunner::SweepRunner(LoopThread& thread, kernel::Instance& instance)
    : thread_(thread), maps_(instance.maps()), policy_(instance.services()),
      sweeper_(maps_, instance.programs().sweep_links(), "/proc"),
      ledger_(maps_.reservations.all(), maps_.seen.all(), kernel::counts_of(maps_),
              [this] { return wait_for_programs(); }) {}

Result<std::unique_ptr<SweepRunner>> SweepRunner::create(LoopThread& thread,
                                                         kernel::Instance& instance) {
    std::unique_ptr<SweepRunner> runner(new SweepRunner(thread, instance));
    auto timer = thread.loop().timer([self = runner.get()] { self->turn(); });
    if (!timer)
        return fail(timer.error());
    runner->timer_ = std::move(*timer);
    return runner;
}

void SweepRunner::changed(const PolicyInForce& now) {
    wanted_ = now.policy().daemon.sweep_interval;
    if (!under_way_)
        plan_next();
}

Result<void> SweepRunner::begin(SweepExtent extent, std::chrono::nanoseconds budget) {
    ledger_.begin_sweep(kernel::used(maps_));
    gathered_ = {};
    auto begun = sweeper_.begin(extent, budget);
    under_way_ = begun.has_value();
    if (!begun) {
        ++next_.status.failures;
        log::error("sweep not done: {}", begun.error().text());
        publish();
    }
    return begun;
}

void SweepRunner::take(std::span<const SweptFlow> flows) {
    table_.add(flows);
    const auto kept = flows.first(std::min(flows.size(), most_flows - gathered_.rows.size()));
    gathered_.rows.insert(gathered_.rows.end(), kept.begin(), kept.end());
    gathered_.left_out += flows.size() - kept.size();
    guards_->observe(flows);
}

bool SweepRunner::step() {
    thread_.mark_progress();
    return sweeper_.step([this](std::span<const SweptFlow> flows) { take(flows); });
}

void SweepRunner::turn() {
    if (!under_way_ && !begin(SweepExtent::paced, govern::sweep_budget(wanted_))) {
        plan_next();
        return;
    }
    if (step()) {
        timer_.arm(std::chrono::nanoseconds(0));
        return;
    }
    finish();
    plan_next();
}

Result<void> SweepRunner::run_now(SweepExtent extent, const std::function<void()>& counted) {
    if (auto begun = begin(extent, govern::awaited_sweep_budget(wanted_)); !begun)
        return begun;
    bool has_counted = false;
    while (step())
        if (sweeper_.has_met_open_sockets() && !std::exchange(has_counted, true))
            counted();
    finish();
    plan_next();
    if (!sweeper_.totals().looked_at)
        return fail(Error(fmt::format("no network namespace could be swept: {}",
                                      sweeper_.totals().failures.empty()
                                          ? "none found"
                                          : sweeper_.totals().failures.front())));
    return {};
}

bool SweepRunner::wait_for_programs() {
    auto waited = policy_.wait_for_programs();
    if (!waited)
        log::warn("drift is left as it is: {}", waited.error().text());
    return waited.has_value();
}

void SweepRunner::finish() {
    under_way_ = false;
    const auto& totals = sweeper_.totals();
    for (const auto& failure : totals.failures)
        log::warn("sweep incomplete: {}", failure);
    if (totals.untracked)
        log::warn("sweep: {} governed sockets could not be counted, a table is full",
                  totals.untracked);
    if (totals.not_told_apart)
        log::warn("sweep: {} sockets may be counted twice, there are too many at a time",
                  totals.not_told_apart);
    report(judge());
    if (table_.left_out())
        log::warn("sweep: sockets of further peers were not listed: {}", table_.left_out());
    next_.peers = table_.take([this](std::uint16_t id) { return policy_.service_name(id); });
    guards_->end_sweep(
        {.peers = next_.peers,
         .keepalive = {.kept_alive = totals.kept_alive, .wanted = totals.keepalive_wanted}});
    if (totals.looked_at) { // else the best that is known is from before, and says how old it is
        gathered_.taken = now();
        next_.flows = std::make_shared<const Flows>(std::exchange(gathered_, {}));
    }
    publish();
}

kernel::LedgerFindings SweepRunner::judge() {
    const auto& totals = sweeper_.totals();
    const std::scoped_lock lock(*maps_.bookkeeping);
    return ledger_.end_sweep(totals.number, {totals.visited, totals.not_visited},
                             kernel::used(maps_), now());
}

void SweepRunner::report(const kernel::LedgerFindings& found) {
    const auto& totals = sweeper_.totals();
    next_.drift = found.drift;
    SweepStatus& status = next_.status;
    ++status.sweeps;
    status.last_cpu = totals.cpu;
    status.sockets = totals.sockets;
    status.time_wait = totals.time_wait;
    status.namespaces = totals.looked_at;
    status.namespaces_visited = totals.visited.size();
    status.namespaces_missed = totals.missed.size();
    status.failures += totals.failures.empty() ? 0U : 1U;
    status.repairs += found.repairs;
    status.drift = found.other_drift;
    for (const auto& [index, drift] : found.drift) {
        status.drift += static_cast<std::uint64_t>(std::llabs(drift));
        log::warn("drift: destination index {} is off by {}", index, drift);
    }
    if (found.other_drift)
        log::warn("drift: {} totals or shares are off", found.other_drift);
    if (found.repairs)
        log::warn("drift: {} counts or reservations corrected", found.repairs);
}

void SweepRunner::publish() {
    latest_.set(std::make_shared<const Latest>(next_));
}

void SweepRunner::plan_next() {
    SweepStatus& status = next_.status;
    const auto interval = govern::sweep_interval(wanted_, status.last_cpu);
    timer_.arm(interval);
    const auto shown = std::chrono::duration_cast<std::chrono::milliseconds>(interval);
    if (std::exchange(status.interval, shown) != shown)
        publish();
}

} // namespace ballast::observe

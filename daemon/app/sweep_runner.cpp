// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/sweep_runner.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "daemon/app/clock.h"
#include "daemon/app/log.h"
#include "daemon/govern/sweep_pace.h"
#include "daemon/kernel/flows.h"

namespace ballast::app {

namespace {} // namespace

SweepRunner::SweepRunner(kernel::Maps& maps, kernel::PolicyMap& policy,
                         kernel::Sweeper::Links links)
    : maps_(maps), policy_(policy), sweeper_(maps, links, "/proc"),
      ledger_(maps.reservations.all(), maps.seen.all(),
              {.destinations = maps.destinations,
               .totals = maps.totals,
               .consumers = maps.consumers,
               .shares = maps.shares,
               .next_share = maps.control->next_share},
              [this] { return wait_for_programs(); }),
      table_(kernel::jiffies_per_second()) {}

Result<std::unique_ptr<SweepRunner>> SweepRunner::create(EventLoop& loop, kernel::Maps& maps,
                                                         kernel::PolicyMap& policy,
                                                         kernel::Sweeper::Links links) {
    std::unique_ptr<SweepRunner> runner(new SweepRunner(maps, policy, links));
    auto timer = loop.timer([self = runner.get()] { self->turn(); });
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

kernel::Ledger::Used SweepRunner::used() const {
    return {.destinations =
                std::min<std::uint32_t>(maps_.control->next_destination, BALLAST_MAX_DESTINATIONS),
            .shares = std::min<std::uint32_t>(maps_.control->next_share, BALLAST_MAX_SHARES)};
}

Result<void> SweepRunner::begin(SweepExtent extent, std::chrono::nanoseconds budget) {
    ledger_.begin_sweep(used());
    gathered_ = {};
    auto begun = sweeper_.begin(extent, budget);
    under_way_ = begun.has_value();
    if (!begun) {
        ++status_.failures;
        log::error("sweep not done: {}", begun.error().text());
    }
    return begun;
}

void SweepRunner::keep(std::span<const ballast_flow> flows) {
    const auto kept = flows.first(std::min(flows.size(), most_flows - gathered_.rows.size()));
    gathered_.rows.insert(gathered_.rows.end(), kept.begin(), kept.end());
    gathered_.left_out += flows.size() - kept.size();
}

bool SweepRunner::step() {
    return sweeper_.step([&](std::span<const ballast_flow> flows) {
        table_.add(flows);
        keep(flows);
        for (const auto& watcher : watchers_)
            watcher.on_flows(flows);
    });
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

Result<void> SweepRunner::run_now(SweepExtent extent) {
    if (auto begun = begin(extent, govern::awaited_sweep_budget(wanted_)); !begun)
        return begun;
    while (step()) {
    }
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
    findings_ =
        ledger_.end_sweep(totals.number, {totals.visited, totals.not_visited}, used(), now());
    keepalive_ = {.kept_alive = totals.kept_alive, .wanted = totals.keepalive_wanted};
    ++status_.sweeps;
    status_.last_cpu = totals.cpu;
    status_.sockets = totals.sockets;
    status_.time_wait = totals.time_wait;
    status_.namespaces = totals.looked_at;
    status_.namespaces_visited = totals.visited.size();
    status_.namespaces_missed = totals.missed.size();
    status_.failures += totals.failures.empty() ? 0U : 1U;
    status_.repairs += findings_.repairs;
    status_.drift = 0;
    for (const auto& [index, drift] : findings_.drift) {
        status_.drift += static_cast<std::uint64_t>(std::llabs(drift));
        log::warn("drift: destination index {} is off by {}", index, drift);
    }
    if (findings_.other_drift)
        log::warn("drift: {} totals or shares are off", findings_.other_drift);
    status_.drift += findings_.other_drift;
    if (findings_.repairs)
        log::warn("drift: {} counts or reservations corrected", findings_.repairs);
    if (table_.left_out())
        log::warn("sweep: sockets of further peers were not listed: {}", table_.left_out());
    for (const auto& watcher : watchers_)
        watcher.on_end();
    peers_ = table_.take([this](std::uint16_t id) { return policy_.service_name(id); });
    if (!totals.looked_at)
        return; // what was seen before is still the best that is known, and says how old it is
    flows_ = std::exchange(gathered_, {});
    flows_.taken = now();
}

void SweepRunner::plan_next() {
    const auto interval = govern::sweep_interval(wanted_, status_.last_cpu);
    status_.interval = std::chrono::duration_cast<std::chrono::milliseconds>(interval);
    timer_.arm(interval);
}

void SweepRunner::reclaim_pending() {
    if (const auto released = ledger_.reclaim_pending(used(), now()))
        log::debug("released {} reservations of connects that failed at once", released);
}

} // namespace ballast::app

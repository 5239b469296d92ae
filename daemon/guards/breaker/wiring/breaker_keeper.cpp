// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/breaker/wiring/breaker_keeper.h"

#include <utility>

#include <fmt/format.h>

#include "daemon/kernel/instance.h"
#include "daemon/policy/policy_publisher.h"
#include "daemon/util/clock.h"
#include "daemon/util/log.h"

namespace ballast::guards {

namespace {

/// CLOCK_MONOTONIC, which std::chrono::steady_clock reads too.
std::uint64_t ms_of(govern::Governor::Monotonic time) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

govern::Governor::Failing failing_of(const BreakerChange& change) {
    using Failing = govern::Governor::Failing;
    if (change.withheld)
        return Failing::withheld;
    return change.from == BreakerState::half_open ? Failing::reopened : Failing::opened;
}

} // namespace

BreakerKeeper::BreakerKeeper(const Surroundings& around)
    : map_(around.instance.services()), policy_(around.policy), findings_(around.findings),
      table_(around.instance.maps()), datapath_(around.instance.maps()),
      destinations_(around.instance.maps()), governor_(around.governor),
      window_(policy_.now()->policy().governor.observer_fault_window) {}

Result<std::unique_ptr<Guard>> BreakerKeeper::make(const Surroundings& around) {
    std::unique_ptr<BreakerKeeper> keeper(new BreakerKeeper(around));
    auto events =
        kernel::BreakerEvents::open(around.instance.maps().events.get(),
                                    [self = keeper.get()](const auto& e) { self->on_event(e); });
    if (!events)
        return fail(events.error());
    keeper->events_ = std::make_unique<kernel::BreakerEvents>(std::move(*events));
    auto readable = around.loop.on_readable(keeper->events_->descriptor(), [self = keeper.get()] {
        self->events_->consume();
        self->govern();
    });
    if (!readable)
        return fail(readable.error());
    keeper->readable_ = std::move(*readable);
    keeper->adopt_holds();
    keeper->tell_dry_run();
    keeper->wake();
    return keeper;
}

void BreakerKeeper::changed(const PolicyInForce& now) {
    const GovernorOptions& options = now.policy().governor;
    events_->consume(); // they are from before
    const bool was_dry_run = governor_.lock()->is_dry_run();
    governor_.lock()->configure(options);
    window_ = options.observer_fault_window;
    if (!was_dry_run)
        tell_dry_run();
    else if (!options.dry_run) {
        log::info("the governor's dry run is over");
        adopt_holds();
    }
    govern();
}

void BreakerKeeper::tell_dry_run() const {
    if (is_dry_run())
        log::warn("[governor] dry_run is on: no breaker opens, is held closed or released");
}

void BreakerKeeper::on_event(const kernel::BreakerEvent& event) {
    BreakerChange change = event.change;
    change.service = map_.service_name(event.service);
    change.dry_run = is_dry_run();
    if (auto finding = guard_.read(change, now()))
        findings_.add(std::move(*finding));
    if (change.withheld || change.to == BreakerState::open)
        governor_.lock()->on_failing(change.index, failing_of(change), now());
}

void BreakerKeeper::govern() {
    const auto swap = [this](std::uint32_t& expected, std::uint32_t wanted) {
        return datapath_.swap_trip_budget(expected, wanted);
    };
    const auto decision =
        governor_.lock()->decide(destinations_.tried_since(now() - window_), swap, now());
    if (!decision.dry_run)
        act(decision);
    tell_fault(decision);
}

void BreakerKeeper::act(const govern::Governor::Decision& decision) {
    for (const auto destination : decision.hold)
        hold(destination);
    for (const auto destination : decision.release)
        release(destination);
}

void BreakerKeeper::tell_fault(const govern::Governor::Decision& decision) {
    const char* dry_run = decision.dry_run ? " dry_run=true" : "";
    if (decision.fault_began)
        findings_.add({.reason = findings::Reason::observer_fault,
                       .evidence = fmt::format(
                           "failing={} active={} window_ms={} held={}{} conclusion=\"most "
                           "destinations fail at once: this host's own network is suspect, "
                           "breakers stay closed\"",
                           decision.failing, decision.active, window_.count(),
                           governor_.lock()->holds(), dry_run),
                       .acted = !decision.dry_run});
    if (decision.fault_ended)
        findings_.add({.reason = findings::Reason::observer_fault_over,
                       .evidence = fmt::format("released={}{}", decision.release.size(), dry_run)});
}

void BreakerKeeper::hold(std::uint32_t destination) {
    BreakerOrder order;
    order.force = BreakerForce::closed;
    order.reason = "observer fault";
    order.lasts = longest_hold;
    order.by = governor_name;
    if (table_.forced_by(destination).empty())
        if (auto held = table_.force_one(destination, order); !held)
            log::error("{}", held.error().text());
}

void BreakerKeeper::release(std::uint32_t destination) {
    if (table_.forced_by(destination) == governor_name)
        if (auto released = table_.force_one(destination, {}); !released)
            log::error("{}", released.error().text());
}

/// Holds that an earlier daemon died without releasing.
void BreakerKeeper::adopt_holds() {
    for (const auto& known : read())
        if (known.row.forced == BreakerForce::closed && known.row.forced_by == governor_name)
            governor_.lock()->adopt_hold(known.destination, now());
}

void BreakerKeeper::wake() {
    events_->consume();
    table_.expire(ms_of(now()));
    govern();
}

void BreakerKeeper::report(DaemonStatus& status) const {
    status.governor_dry_run = is_dry_run();
    status.findings.left_out += guard_.coalesced();
}

void BreakerKeeper::stop() {
    if (is_dry_run())
        return;
    for (const auto destination : governor_.lock()->undo_all())
        release(destination);
}

std::vector<kernel::BreakerTable::Known> BreakerKeeper::read() const {
    return table_.read([this](std::uint16_t service) { return map_.limit(service); });
}

std::vector<BreakerRow> BreakerKeeper::rows() const {
    std::vector<BreakerRow> rows;
    const auto in_force = policy_.now();
    for (auto& known : read()) {
        known.row.service = map_.service_name(known.service);
        known.row.mode = in_force->allowed(known.row.mode);
        rows.push_back(std::move(known.row));
    }
    return rows;
}

Result<void> BreakerKeeper::force(const BreakerOrder& order) {
    return table_.force(order);
}

} // namespace ballast::guards

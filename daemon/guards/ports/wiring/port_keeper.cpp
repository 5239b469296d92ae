// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/wiring/port_keeper.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "daemon/kernel/cgroup.h"
#include "daemon/kernel/orphans.h"
#include "daemon/util/clock.h"
#include "daemon/util/log.h"

namespace ballast::guards {

namespace {

/// Rows that are read and kept without effort; beyond it, small tuples are left out.
constexpr std::size_t many_tuples = 16'384;
constexpr std::uint32_t small = 64;
/// Rows whose consumer is named: each takes two system calls.
constexpr std::size_t most_named = 256;

} // namespace

Result<std::unique_ptr<Guard>> PortKeeper::make(const Surroundings& around) {
    std::unique_ptr<PortKeeper> keeper(new PortKeeper(around.findings));
    auto reliever = PortReliever::make(around);
    if (!reliever)
        return fail(reliever.error());
    keeper->reliever_ = std::move(*reliever);
    auto walk = kernel::PortWalk::load();
    if (!walk) {
        keeper->status_.lacking = walk.error().text();
        log::warn("local ports are not counted: {}", walk.error().text());
        return keeper;
    }
    keeper->walk_ = std::move(*walk);
    auto timer = around.loop.timer([self = keeper.get()] { self->advance(); });
    if (!timer)
        return fail(timer.error());
    keeper->timer_ = std::move(*timer);
    keeper->timer_.arm(slice);
    if (auto watched = keeper->watch(around); !watched)
        log::warn("local ports are not watched between passes: {}", watched.error().text());
    return keeper;
}

Result<void> PortKeeper::watch(const Surroundings& around) {
    auto hooks = kernel::PortHooks::attach(around.instance.programs().cgroup(), walk_->wanted(),
                                           [this] { hasten(); });
    if (!hooks)
        return fail(hooks.error());
    auto readable = around.loop.on_readable((*hooks)->descriptor(), [this] { hooks_->consume(); });
    if (!readable)
        return fail(readable.error());
    hooks_ = std::move(*hooks);
    many_ = std::move(*readable);
    return {};
}

/// The next pass is due, as soon as its cost allows.
void PortKeeper::hasten() {
    if (is_passing_)
        return;
    ++status_.hastened;
    timer_.arm(std::max<std::chrono::nanoseconds>(began_ + 50 * status_.last_cpu - now(), slice));
}

void PortKeeper::begin() {
    began_ = now();
    is_passing_ = true;
    walk_->begin(least_);
}

void PortKeeper::advance() {
    if (!is_passing_)
        begin();
    const auto more = walk_->step(slice);
    if (!more)
        return fail_pass(more.error());
    if (*more)
        return timer_.arm(slice);
    finish();
}

void PortKeeper::finish() {
    is_passing_ = false;
    auto count = walk_->finish();
    if (!count)
        return fail_pass(count.error());
    status_.torn += count->torn;
    status_.unreadable += count->unreadable;
    if (count->torn + count->unreadable != 0 && again_ < most_again) {
        ++again_;
        return timer_.arm(slice);
    }
    again_ = 0;
    count->orphans = kernel::read_orphans();
    take(*count);
    if (hooks_)
        if (auto allowed = hooks_->allow(book_.allowance()); !allowed)
            log::warn("local ports are not watched: {}", allowed.error().text());
    timer_.arm(std::max<std::chrono::nanoseconds>(began_ + interval() - now(), slice));
}

void PortKeeper::fail_pass(const Error& error) {
    is_passing_ = false;
    if (status_.failures++ == 0)
        log::warn("local ports could not be counted: {}", error.text());
    timer_.arm(calm);
}

void PortKeeper::take(const PortCount& count) {
    const auto name = [](std::uint64_t cgroup) { return kernel::cgroup_path(cgroup).value_or(""); };
    for (auto& finding : book_.read(count, now(), name))
        findings_.add(std::move(finding));
    reliever_->read(count, book_.rows());
    const bool is_crowded = count.full != 0 || count.tuples.size() > many_tuples;
    if (is_crowded)
        least_ = small;
    else if (count.left_out < many_tuples / 4)
        least_ = 1;
    ++status_.passes;
    taken_ = began_;
    status_.last_cpu = count.cpu;
    status_.sockets = count.sockets;
    status_.spaces = count.spaces.size();
    status_.time_wait = std::accumulate(
        count.spaces.begin(), count.spaces.end(), std::uint64_t{0},
        [](std::uint64_t sum, const auto& space) { return sum + space.second.minis; });
    status_.tuples = count.tuples.size();
    status_.least = count.least;
    status_.left_out = count.left_out;
    status_.full = count.full;
    status_.states = {};
    for (const auto& row : book_.rows())
        ++status_.states.at(static_cast<std::size_t>(row.state));
}

PortTable PortKeeper::table() const {
    PortTable table{.rows = book_.rows(), .age = {}};
    for (auto& row : std::span(table.rows).first(std::min(table.rows.size(), most_named)))
        if (row.consumer != 0)
            row.consumer_path = kernel::cgroup_path(row.consumer).value_or("");
    if (taken_)
        table.age = std::chrono::duration_cast<std::chrono::milliseconds>(now() - *taken_);
    table.reliefs = reliever_->rows();
    return table;
}

void PortKeeper::changed(const PolicyInForce& now) {
    reliever_->changed(now);
}

void PortKeeper::stop() {
    reliever_->stop();
}

std::chrono::nanoseconds PortKeeper::interval() const {
    const bool is_watchful = book_.worst() > PortState::poisoned || book_.is_any_foretold();
    return std::max<std::chrono::nanoseconds>(is_watchful ? watchful : calm, 50 * status_.last_cpu);
}

void PortKeeper::report(DaemonStatus& status) const {
    status.ports = status_;
    reliever_->report(status.ports);
    status.findings.left_out += book_.coalesced();
}

} // namespace ballast::guards

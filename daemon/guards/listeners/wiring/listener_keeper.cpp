// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/listeners/wiring/listener_keeper.h"

#include <algorithm>
#include <span>

#include <sys/stat.h>

#include "daemon/kernel/cgroup.h"
#include "daemon/util/clock.h"
#include "daemon/util/log.h"
#include "daemon/util/quote.h"

namespace ballast::guards {

namespace {

/// Rows whose consumer is named: each takes two system calls.
constexpr std::size_t most_owned = 256;

/// Processes looked for in one pass: each search may read thousands of links, and the API waits.
constexpr std::size_t most_sought = 8;

std::string owner_path(std::uint64_t cgroup) {
    return cgroup == 0 ? std::string() : kernel::cgroup_path(cgroup).value_or("");
}

/// Its inode number; 0: not known, so that none is preferred.
std::uint32_t own_namespace() {
    struct stat status {};
    return ::stat("/proc/thread-self/ns/net", &status) == 0
               ? static_cast<std::uint32_t>(status.st_ino)
               : 0;
}

void name_owner(Finding& finding, SocketOwner owner) {
    if (owner.pid != 0)
        finding.evidence += fmt::format(" pid={} comm={}", owner.pid, one_word(owner.comm));
    finding.owner = std::move(owner);
}

} // namespace

Result<std::unique_ptr<Guard>> ListenerKeeper::make(const Surroundings& around) {
    std::unique_ptr<ListenerKeeper> keeper(new ListenerKeeper(around.findings));
    auto walk = kernel::ListenWalk::load();
    if (!walk) {
        keeper->status_.lacking = walk.error().text();
        log::warn("listeners are not watched: {}", walk.error().text());
        return keeper;
    }
    keeper->walk_ = std::move(*walk);
    keeper->own_space_ = own_namespace();
    auto timer = around.loop.timer([self = keeper.get()] { self->advance(); });
    if (!timer)
        return fail(timer.error());
    keeper->timer_ = std::move(*timer);
    keeper->timer_.arm(slice);
    return keeper;
}

void ListenerKeeper::advance() {
    if (!is_passing_) {
        began_ = now();
        is_passing_ = true;
        walk_->begin();
    }
    const auto more = walk_->step(slice);
    if (!more)
        return fail_pass(more.error());
    if (*more)
        return timer_.arm(slice);
    finish();
}

void ListenerKeeper::finish() {
    is_passing_ = false;
    const auto count = walk_->finish();
    if (!count)
        return fail_pass(count.error());
    take(*count);
    const auto next = std::max<std::chrono::nanoseconds>(interval, 100 * status_.last_cpu);
    timer_.arm(std::max<std::chrono::nanoseconds>(began_ + next - now(), slice));
}

void ListenerKeeper::fail_pass(const Error& error) {
    is_passing_ = false;
    if (status_.failures++ == 0)
        log::warn("listeners could not be read: {}", error.text());
    timer_.arm(interval);
}

void ListenerKeeper::take(const ListenCount& count) {
    std::size_t sought = 0;
    for (auto& made : book_.read(count, now(), owner_path)) {
        if (made.inode != 0 && sought++ < most_sought)
            name_owner(made.finding, findings_.owner_of(made.finding.netns, made.inode));
        findings_.add(std::move(made.finding));
    }
    readiness_.read(book_.rows());
    ++status_.passes;
    taken_ = began_;
    status_.last_cpu = count.cpu;
    status_.listeners = count.listeners.size();
    status_.torn += count.torn;
    status_.full = count.full;
    status_.overflows = book_.overflows();
    status_.closed_waiting = book_.closed_waiting();
    status_.states = {};
    for (const auto& row : book_.rows())
        ++status_.states.at(static_cast<std::size_t>(row.state));
}

ListenerTable ListenerKeeper::table() const {
    ListenerTable table{.rows = book_.rows(), .age = {}};
    for (auto& row : std::span(table.rows).first(std::min(table.rows.size(), most_owned)))
        row.consumer_path = owner_path(row.consumer);
    if (taken_)
        table.age = std::chrono::duration_cast<std::chrono::milliseconds>(now() - *taken_);
    return table;
}

std::optional<ReadyRow> ListenerKeeper::ready(const Endpoint& endpoint, std::uint32_t netns) const {
    return readiness_.of(endpoint, netns, own_space_);
}

void ListenerKeeper::report(DaemonStatus& status) const {
    status.listeners = status_;
    status.findings.left_out += book_.left_out();
}

} // namespace ballast::guards

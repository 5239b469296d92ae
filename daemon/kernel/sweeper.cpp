// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/sweeper.h"

#include <algorithm>
#include <array>
#include <iterator>

#include <bpf/bpf.h>

#include "daemon/kernel/flows.h"
#include "daemon/kernel/ledger.h"
#include "daemon/kernel/socket_counts.h"
#include "daemon/util/clock.h"

namespace ballast::kernel {

Sweeper::Sweeper(Maps& maps, Links links, std::string proc)
    : maps_(&maps), links_(links), proc_(std::move(proc)), hz_(jiffies_per_second()) {}

Result<void> Sweeper::begin(SweepExtent extent, std::chrono::nanoseconds budget) {
    const auto start = thread_cpu();
    auto spaces = find_net_namespaces(proc_);
    if (!spaces)
        return fail(spaces.error().context("list network namespaces"));
    spaces_ = std::move(*spaces);
    next_ = 0;
    budget_ = budget;
    met_.begin();
    auto missed = std::move(totals_.missed); // until a visit shows otherwise
    totals_ = {};
    for (const auto& space : spaces_)
        totals_.not_visited.insert(space.inode);
    std::erase_if(missed, [&](auto netns) { return !totals_.not_visited.contains(netns); });
    totals_.missed = std::move(missed);
    const bool are_many = links_.files >= 0 && spaces_.size() > few;
    stage_ = extent == SweepExtent::paced && are_many ? Stage::files : Stage::all;
    // 0 means "never seen" in the maps; the number survives restarts, since they do.
    if (++maps_->control->sweep == 0)
        ++maps_->control->sweep;
    totals_.number = maps_->control->sweep;
    totals_.cpu = thread_cpu() - start;
    return {};
}

bool Sweeper::step(const Sink& sink) {
    const auto start = thread_cpu();
    const bool has_done = advance(sink);
    totals_.cpu += thread_cpu() - start;
    return has_done;
}

bool Sweeper::advance(const Sink& sink) {
    if (stage_ == Stage::done)
        return false;
    if (stage_ == Stage::files) {
        pass_over_files(sink);
        return true;
    }
    if (stage_ == Stage::all && next_ < spaces_.size()) {
        sweep_one(spaces_[next_++], sink);
        return true;
    }
    const auto chosen = stage_ == Stage::chosen ? plan_.next(totals_.cpu) : std::nullopt;
    if (!chosen) {
        finish(sink);
        return false;
    }
    const auto space = std::ranges::find(spaces_, *chosen, &NetNamespace::inode);
    sweep_one(*space, sink);
    return true;
}

/// Where it fails, the sweep goes on as if there were few namespaces.
void Sweeper::pass_over_files(const Sink& sink) {
    stage_ = Stage::all;
    maps_->sweep_totals[0] = {};
    Fd iterator(::bpf_iter_create(links_.files));
    const auto passed =
        iterator ? read_all({std::move(iterator), Fd()},
                            [&](std::span<ballast_flow> flows) {
                                hand_over(met_.from_files(flows), sink);
                            })
                 : Result<void>(fail(Error::system("open the iterator over files", errno)));
    add_totals();
    if (!passed) {
        totals_.failures.push_back(passed.error().text());
        return;
    }
    stage_ = Stage::chosen;
    plan_visits();
}

void Sweeper::plan_visits() {
    const auto unmet =
        namespaces_unmet(maps_->reservations.all(), maps_->seen.all(), totals_.number);
    auto failures =
        census_.look(spaces_, [this](const NetNamespace& space) { return count_in_kernel(space); });
    std::ranges::move(failures, std::back_inserter(totals_.failures));
    totals_.time_wait = census_.time_wait();
    std::vector<VisitPlan::Candidate> candidates;
    candidates.reserve(spaces_.size());
    for (const auto& space : spaces_) {
        const auto met = met_.in(space.inode);
        const auto counted = census_.hashed(space.inode);
        candidates.push_back({space.inode,
                              {.is_unmet = unmet.contains(space.inode),
                               .is_untuned = met.is_untuned,
                               .is_miscounted = counted && *counted != met.sockets}});
    }
    plan_.begin(std::move(candidates), budget_);
}

Result<std::optional<SocketCounts>> Sweeper::count_in_kernel(const NetNamespace& space) const {
    auto counts = count_sockets(space, proc_);
    if (counts)
        return *counts;
    const auto there = where_it_is_now(space, proc_);
    if (there && !*there)
        return std::nullopt;
    if (there)
        counts = count_sockets(**there, proc_);
    return counts ? Result<std::optional<SocketCounts>>(*counts) : fail(counts.error());
}

void Sweeper::sweep_one(const NetNamespace& space, const Sink& sink) {
    const auto there = where_it_is_now(space, proc_);
    if (!there)
        return miss(space, there.error());
    totals_.missed.erase(space.inode);
    if (!*there) {
        totals_.not_visited.erase(space.inode);
        return;
    }
    maps_->sweep_totals[0] = {};
    visiting_ = space.inode;
    if (auto visited = visit(**there, sink); !visited) {
        miss(space, visited.error());
    } else {
        totals_.visited.insert(space.inode);
        totals_.not_visited.erase(space.inode);
    }
    visiting_ = 0;
    add_totals();
}

void Sweeper::miss(const NetNamespace& space, const Error& error) {
    totals_.missed.insert(space.inode);
    totals_.failures.push_back(
        error.context(fmt::format("network namespace {}", space.inode)).text());
}

Result<void> Sweeper::visit(const NetNamespace& space, const Sink& sink) {
    auto start = iterators_.open(space, links_.sockets);
    if (!start)
        return fail(start.error());
    return read_all(std::move(*start), [&](std::span<ballast_flow> flows) {
        hand_over(met_.from_visit(flows), sink);
    });
}

Result<void> Sweeper::read_all(SocketIterator::Start start,
                               const std::function<void(std::span<ballast_flow>)>& take) {
    alignas(ballast_flow) std::array<std::byte, 512 * sizeof(ballast_flow)> buffer;
    std::size_t held = 0;
    for (;;) {
        const ssize_t got =
            ::read(start.iterator.get(), buffer.data() + held, buffer.size() - held);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue; // EAGAIN: a million objects without a record (kernel/bpf/bpf_iter.c)
        if (got < 0)
            return fail(Error::system("read the socket iterator", errno));
        if (start.listener)
            start.listener->reset();
        if (got == 0)
            return start.listener ? Result<void>() : fail(start.listener.error());
        held += static_cast<std::size_t>(got);
        const std::size_t whole = held / sizeof(ballast_flow);
        const std::size_t used = whole * sizeof(ballast_flow);
        take({reinterpret_cast<ballast_flow*>(buffer.data()), whole});
        std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(used),
                  buffer.begin() + static_cast<std::ptrdiff_t>(held), buffer.begin());
        held -= used;
    }
}

void Sweeper::hand_over(std::span<const ballast_flow> flows, const Sink& sink) {
    totals_.sockets += flows.size();
    for (const auto& flow : flows) {
        totals_.untracked += flow.flags & BALLAST_FLOW_UNTRACKED ? 1U : 0U;
        totals_.kept_alive += flow.keepalive.setter == BALLAST_SET_BY_BALLAST ? 1U : 0U;
        totals_.keepalive_wanted += flow.keepalive.lack == BALLAST_LACKS_LEAVE;
    }
    batch_.clear();
    for (const auto& flow : flows)
        batch_.push_back(to_model(flow, hz_));
    sink(batch_);
}

void Sweeper::add_totals() {
    const ballast_sweep_totals& kernel = maps_->sweep_totals[0];
    if (stage_ == Stage::all) // else they were counted for all namespaces
        totals_.time_wait += kernel.time_wait;
    totals_.adopted += kernel.adopted;
    totals_.moved += kernel.moved;
}

void Sweeper::finish(const Sink& sink) {
    hand_over(met_.waited(), sink);
    totals_.not_told_apart = met_.not_told_apart();
    totals_.looked_at = totals_.visited.size();
    if (stage_ == Stage::chosen)
        totals_.looked_at += totals_.not_visited.size() - totals_.missed.size();
    spaces_.clear();
    stage_ = Stage::done;
}

} // namespace ballast::kernel

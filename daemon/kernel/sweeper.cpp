// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/sweeper.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "daemon/kernel/flows.h"

namespace ballast::kernel {

namespace {

std::chrono::nanoseconds thread_cpu() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

} // namespace

Sweeper::Sweeper(Maps& maps, int link, std::string proc)
    : maps_(&maps), link_(link), proc_(std::move(proc)), hz_(jiffies_per_second()) {}

Result<void> Sweeper::begin() {
    const auto start = thread_cpu();
    auto spaces = find_net_namespaces(proc_);
    if (!spaces)
        return fail(spaces.error().context("list network namespaces"));
    spaces_ = std::move(*spaces);
    next_ = 0;
    totals_ = {};
    // 0 means "never seen" in the maps; the number survives restarts, since they do.
    if (++maps_->control->sweep == 0)
        ++maps_->control->sweep;
    totals_.number = maps_->control->sweep;
    totals_.cpu = thread_cpu() - start;
    return {};
}

bool Sweeper::step(const Sink& sink) {
    if (next_ >= spaces_.size())
        return false;
    const auto start = thread_cpu();
    visiting_ = spaces_[next_].inode;
    sweep_one(spaces_[next_++], sink);
    visiting_ = 0;
    if (next_ == spaces_.size()) {
        spaces_.clear();
        next_ = 0;
    }
    totals_.cpu += thread_cpu() - start;
    return true;
}

void Sweeper::sweep_one(const NetNamespace& space, const Sink& sink) {
    const auto there = where_it_is_now(space, proc_);
    if (!there)
        return miss(space, there.error());
    if (!*there)
        return;
    maps_->sweep_totals[0] = {};
    if (auto visited = visit(**there, sink); !visited)
        miss(space, visited.error());
    else
        totals_.visited.insert(space.inode);
    add_totals();
}

void Sweeper::miss(const NetNamespace& space, const Error& error) {
    totals_.missed.insert(space.inode);
    totals_.failures.push_back(
        error.context(fmt::format("network namespace {}", space.inode)).text());
}

void Sweeper::hand_over(std::span<const ballast_flow> records, const Sink& sink) {
    batch_.clear();
    for (const auto& record : records)
        batch_.push_back(to_model(record, hz_));
    sink(batch_);
}

Result<void> Sweeper::read_all(SocketIterator::Start start, const Sink& sink) {
    alignas(ballast_flow) std::array<std::byte, 512 * sizeof(ballast_flow)> buffer;
    std::size_t held = 0;
    for (;;) {
        const ssize_t got =
            ::read(start.iterator.get(), buffer.data() + held, buffer.size() - held);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue; // EAGAIN: a million sockets without a record (kernel/bpf/bpf_iter.c)
        if (got < 0)
            return fail(Error::system("read the socket iterator", errno));
        if (start.listener)
            start.listener->reset();
        if (got == 0)
            return start.listener ? Result<void>() : fail(start.listener.error());
        held += static_cast<std::size_t>(got);
        const std::size_t whole = held / sizeof(ballast_flow);
        hand_over({reinterpret_cast<const ballast_flow*>(buffer.data()), whole}, sink);
        const std::size_t used = whole * sizeof(ballast_flow);
        std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(used),
                  buffer.begin() + static_cast<std::ptrdiff_t>(held), buffer.begin());
        held -= used;
    }
}

Result<void> Sweeper::visit(const NetNamespace& space, const Sink& sink) {
    auto start = iterators_.open(space, link_);
    return start ? read_all(std::move(*start), sink) : Result<void>(fail(start.error()));
}

void Sweeper::add_totals() {
    const ballast_sweep_totals& kernel = maps_->sweep_totals[0];
    totals_.sockets += kernel.sockets;
    totals_.time_wait += kernel.time_wait;
    totals_.adopted += kernel.adopted;
    totals_.moved += kernel.moved;
    totals_.untracked += kernel.untracked;
    totals_.kept_alive += kernel.kept_alive;
    totals_.keepalive_wanted += kernel.keepalive_wanted;
}

} // namespace ballast::kernel

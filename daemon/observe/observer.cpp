// SPDX-License-Identifier: Apache-2.0
#include "daemon/observe/observer.h"

#include <utility>

#include "daemon/util/log.h"

namespace ballast::observe {

using std::chrono::milliseconds;

Result<std::unique_ptr<Observer>> Observer::create(kernel::Instance& instance,
                                                   policy::PolicyPublisher& policy) {
    auto thread = LoopThread::create("observer");
    if (!thread)
        return fail(thread.error());
    std::unique_ptr<Observer> made(new Observer(policy, std::move(*thread)));
    auto sweeps = SweepRunner::create(*made->thread_, instance);
    if (!sweeps)
        return fail(sweeps.error());
    made->sweeps_ = std::move(*sweeps);
    return made;
}

Result<void> Observer::start(guards::GuardSet& guards) {
    guards_ = &guards;
    sweeps_->set_guards(guards);
    policy_.subscribe(*this);
    return thread_->start();
}

void Observer::changed(const PolicyInForce& now) {
    thread_->post([this] {
        const auto current = policy_.now(); // it may have changed again
        sweeps_->changed(*current);
        guards_->changed(*current);
    });
    const auto before = std::exchange(policy_before_, policy_.now());
    if (!before)
        return; // the daemon requests the first sweep itself
    const auto number = ask_for_sweep(SweepExtent::paced);
    if (!counts_alike(before->policy(), now.policy()))
        count_to_await_ = number;
}

std::uint64_t Observer::ask_for_sweep(SweepExtent extent) {
    const std::scoped_lock lock(mutex_);
    if (extent == SweepExtent::full)
        asked_.extent = extent;
    if (asked_.last == asked_.begun) {
        ++asked_.last;
        thread_->post([this] { sweep_as_asked(); });
    }
    return asked_.last;
}

void Observer::sweep_as_asked() {
    std::uint64_t number = 0;
    SweepExtent extent{};
    {
        const std::scoped_lock lock(mutex_);
        number = asked_.begun = asked_.last;
        extent = std::exchange(asked_.extent, SweepExtent::paced);
    }
    auto outcome = sweeps_->run_now(extent, [this, number] {
        const std::scoped_lock lock(mutex_);
        asked_.counted = number;
    });
    if (!outcome)
        log::error("{}", outcome.error().text());
    {
        const std::scoped_lock lock(mutex_);
        asked_.counted = asked_.ended = number;
        asked_.outcome = std::move(outcome);
    }
    has_ended_.notify_all();
}

bool Observer::has_counted(std::uint64_t number) const {
    const std::scoped_lock lock(mutex_);
    return asked_.counted >= number;
}

std::optional<Result<void>> Observer::sweep_outcome(std::uint64_t number,
                                                    std::chrono::nanoseconds patience) {
    std::unique_lock lock(mutex_);
    if (has_ended_.wait_for(lock, patience, [&] { return asked_.ended >= number; }))
        return asked_.outcome;
    lock.unlock();
    if (held_for().count() == 0)
        return std::nullopt;
    return fail(Error("the sweep is held: a program holds a socket's lock")
                    .hint("`ballast status` says for how long, and in which network namespace"));
}

milliseconds Observer::held_for() const {
    const auto busy = thread_->busy_for();
    const bool is_held = busy >= held_after && thread_->is_uninterruptible();
    return is_held ? std::chrono::duration_cast<milliseconds>(busy) : milliseconds(0);
}

SweepStatus Observer::status() const {
    SweepStatus status = latest()->status;
    status.held = held_for();
    status.held_in = status.held.count() != 0 ? sweeps_->visiting() : 0;
    return status;
}

void Observer::tick() {
    const auto held = held_for();
    if (held.count() != 0 && held_.count() == 0)
        log::error("sweeps and half-open detection are held, network namespace {}: a program there "
                   "holds a socket's lock, as one does that waits for a hung or frozen file system "
                   "while it reads; limits and breakers work on, counts stay as they are",
                   sweeps_->visiting());
    if (held.count() == 0 && held_.count() != 0)
        log::warn("sweeps and half-open detection go on; they were held for {} s",
                  std::chrono::duration_cast<std::chrono::seconds>(held_).count());
    held_ = held;
}

bool Observer::stop(std::chrono::nanoseconds patience) {
    if (guards_)
        thread_->post([this] { guards_->stop(); });
    return thread_->stop(patience);
}

} // namespace ballast::observe

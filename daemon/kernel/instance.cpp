// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/instance.h"

#include <utility>

#include "daemon/kernel/cgroup.h"
#include "daemon/kernel/consumer_recycler.h"

namespace ballast::kernel {

Instance::Instance(Programs programs)
    : programs_(std::move(programs)), maps_(programs_.maps()), services_(maps_),
      recycler_(maps_, services_), pending_(maps_.reservations.all(), counts_of(maps_)),
      datapath_(maps_), destinations_(maps_) {}

Result<std::unique_ptr<Instance>> Instance::load(const LoadOptions& options) {
    auto programs = Programs::load(options);
    if (!programs)
        return fail(programs.error());
    return std::unique_ptr<Instance>(new Instance(std::move(*programs)));
}

std::uint64_t Instance::reclaim(Monotonic now) {
    return pending_.reclaim(used(maps_), now);
}

Instance::Recycled Instance::recycle(Monotonic now, std::chrono::nanoseconds ttl) {
    Recycled done;
    if (auto freed = recycler_.run(now.time_since_epoch(), ttl))
        done.destinations = *freed;
    else
        done.failures.push_back(std::move(freed.error()));
    const auto hierarchy = cgroup2_mount();
    if (!hierarchy)
        return done;
    if (auto freed = ConsumerRecycler(maps_, services_, *hierarchy).run())
        done.consumers = *freed;
    else
        done.failures.push_back(std::move(freed.error()));
    return done;
}

} // namespace ballast::kernel

// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/policy_publisher.h"

#include <utility>

namespace ballast::policy {
namespace {

bool is_armed(const kernel::Maps& maps) {
    return __atomic_load_n(&maps.control->disarmed, __ATOMIC_RELAXED) == 0;
}

} // namespace

PolicyPublisher::PolicyPublisher(const kernel::Maps& maps, const kernel::PolicyMap& map)
    : maps_(maps), map_(map), now_(std::make_shared<const PolicyInForce>()) {}

void PolicyPublisher::subscribe(PolicyReader& reader) {
    readers_.push_back(&reader);
    reader.changed(*now());
}

void PolicyPublisher::publish(Policy policy) {
    auto ids = map_.ids_of(policy);
    auto made = std::make_shared<const PolicyInForce>(
        std::move(policy), std::move(ids), maps_.control->policy_generation, is_armed(maps_));
    {
        const std::scoped_lock lock(mutex_);
        now_ = std::move(made);
    }
    notify();
}

std::shared_ptr<const PolicyInForce> PolicyPublisher::now() {
    const std::scoped_lock lock(mutex_);
    if (now_->is_armed() != is_armed(maps_)) {
        now_ = std::make_shared<const PolicyInForce>(now_->with_armed(is_armed(maps_)));
        is_notification_due_ = true; // deferred: the caller may be in the middle of a sweep
    }
    return now_;
}

void PolicyPublisher::follow_kill_switch() {
    (void)now();
    bool is_due = false;
    {
        const std::scoped_lock lock(mutex_);
        is_due = is_notification_due_;
    }
    if (is_due)
        notify();
}

void PolicyPublisher::notify() {
    std::shared_ptr<const PolicyInForce> current;
    {
        const std::scoped_lock lock(mutex_);
        is_notification_due_ = false;
        current = now_;
    }
    for (auto* reader : readers_)
        reader->changed(*current);
}

} // namespace ballast::policy

// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/policy_publisher.h"

#include <utility>

namespace ballast::app {
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
    now_ = std::make_shared<const PolicyInForce>(std::move(policy), std::move(ids),
                                                 maps_.control->policy_generation, is_armed(maps_));
    notify();
}

std::shared_ptr<const PolicyInForce> PolicyPublisher::now() {
    if (now_->is_armed() != is_armed(maps_)) {
        now_ = std::make_shared<const PolicyInForce>(now_->with_armed(is_armed(maps_)));
        is_notification_due_ = true; // not from here: the caller may be in the middle of a sweep
    }
    return now_;
}

void PolicyPublisher::follow_kill_switch() {
    (void)now();
    if (is_notification_due_)
        notify();
}

void PolicyPublisher::notify() {
    is_notification_due_ = false;
    const auto current = now_;
    for (auto* reader : readers_)
        reader->changed(*current);
}

} // namespace ballast::app

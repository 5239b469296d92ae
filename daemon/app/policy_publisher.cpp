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
    tell();
}

std::shared_ptr<const PolicyInForce> PolicyPublisher::now() {
    if (now_->is_armed() != is_armed(maps_)) {
        now_ = std::make_shared<const PolicyInForce>(now_->with_armed(is_armed(maps_)));
        is_untold_ = true; // not told from here: who asks may be in the middle of a sweep
    }
    return now_;
}

void PolicyPublisher::follow_kill_switch() {
    (void)now();
    if (is_untold_)
        tell();
}

void PolicyPublisher::tell() {
    is_untold_ = false;
    const auto told = now_;
    for (auto* reader : readers_)
        reader->changed(*told);
}

} // namespace ballast::app

// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/policy_in_force.h"

#include <utility>

#include "daemon/model/explain.h"

namespace ballast {
PolicyInForce::PolicyInForce(Policy policy, std::vector<std::uint16_t> ids,
                             std::uint64_t generation, bool is_armed)
    : policy_(std::move(policy)), ids_(std::move(ids)), generation_(generation),
      is_armed_(is_armed) {
    ids_.resize(policy_.services.size());
    for (std::size_t i = 0; i < policy_.services.size(); ++i) {
        by_name_.emplace(policy_.services[i].name, i);
        if (ids_[i] != 0)
            by_id_.emplace(ids_[i], i);
    }
}

PolicyInForce PolicyInForce::with_armed(bool is_armed) const {
    PolicyInForce other = *this;
    other.is_armed_ = is_armed;
    return other;
}

const Service* PolicyInForce::service(std::string_view name) const {
    const auto at = by_name_.find(std::string(name));
    return at == by_name_.end() ? nullptr : &policy_.services[at->second];
}

const Service* PolicyInForce::service(std::uint16_t id) const {
    const auto at = by_id_.find(id);
    return at == by_id_.end() ? nullptr : &policy_.services[at->second];
}

std::uint16_t PolicyInForce::id_of(std::string_view name) const {
    const auto at = by_name_.find(std::string(name));
    return at == by_name_.end() ? std::uint16_t{0} : ids_[at->second];
}

const Service* PolicyInForce::governing(const Endpoint& endpoint) const {
    const auto explained = explain(policy_, endpoint, std::nullopt);
    if (!explained.governing)
        return nullptr;
    return &policy_.services.at(explained.targets.at(*explained.governing).service);
}

Mode PolicyInForce::mode(GuardKind guard, const Service* service) const {
    return allowed(service ? mode_of(guard, *service) : policy_.mode(guard));
}

Mode PolicyInForce::allowed(Mode said) const {
    return !is_armed_ && said == Mode::enforce ? Mode::observe : said;
}

} // namespace ballast

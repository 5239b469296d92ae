// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/policy_map.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <unordered_map>

#include <bpf/bpf.h>

#include "daemon/model/prefix_rules.h"

namespace ballast::kernel {

namespace {

constexpr std::uint32_t only_element = 0;

std::string text_of(const ballast_service_name& name) {
    return {name.name, ::strnlen(name.name, sizeof(name.name))};
}

void store_name(ballast_service_name& slot, const std::string& name) {
    std::memset(&slot, 0, sizeof(slot));
    std::memcpy(slot.name, name.data(), std::min(name.size(), sizeof(slot.name) - 1));
}

/// Which ids still have a destination in the table.
std::vector<bool> ids_in_use(const Maps& maps) {
    std::vector<bool> used(BALLAST_MAX_SERVICES, false);
    const auto count =
        std::min<std::uint32_t>(maps.control->next_destination, BALLAST_MAX_DESTINATIONS);
    for (const auto& destination : maps.destinations.all().first(count))
        if (destination.service < BALLAST_MAX_SERVICES)
            used[destination.service] = true;
    return used;
}

ballast_limit to_limit(const Service& service, std::uint16_t id) {
    return {.max_connections = service.max_connections.value_or(BALLAST_UNLIMITED),
            .service = id,
            .mode = static_cast<std::uint8_t>(service.mode),
            .on_limit = static_cast<std::uint8_t>(service.on_limit)};
}

/// The candidate that is there for every consumer; 0: there is none.
std::uint16_t for_everyone(const Candidates& candidates) {
    const bool any = !candidates.empty() && candidates.back().from.empty();
    return any ? candidates.back().service : std::uint16_t{0};
}

} // namespace

PolicyMap::PolicyMap(Maps& maps) : maps_(&maps) {
    adopt_trie();
}

/// Which half of `limits` is in force is read off the trie itself: a daemon may have died between
/// any two writes, and only the trie is what programs see.
void PolicyMap::adopt_trie() {
    __u32 id = 0;
    if (::bpf_map_lookup_elem(maps_->policy.get(), &only_element, &id))
        return;
    trie_ = Fd(::bpf_map_get_fd_by_id(id));
    ballast_prefix_key key{};
    ballast_prefix_rule rule{};
    const ballast_prefix_key* previous = nullptr;
    for (unsigned n = 0; n < BALLAST_MAX_PREFIXES; ++n) {
        if (::bpf_map_get_next_key(trie_.get(), previous, &key) ||
            ::bpf_map_lookup_elem(trie_.get(), &key, &rule))
            return;
        previous = &key;
        for (const auto& span : std::span(rule.spans).first(rule.span_count))
            if (span.limit) {
                half_ = span.limit / BALLAST_MAX_SERVICES;
                return;
            }
    }
}

std::string PolicyMap::service_name(std::uint16_t id) const {
    return id && id < BALLAST_MAX_SERVICES ? text_of(maps_->service_names[id]) : std::string();
}

const ballast_limit* PolicyMap::limit(std::uint16_t id) const {
    if (!id || id >= BALLAST_MAX_SERVICES)
        return nullptr;
    const auto& row = maps_->limits[half_ * BALLAST_MAX_SERVICES + id];
    return row.service == id ? &row : nullptr;
}

std::vector<Service> PolicyMap::recall() const {
    std::vector<Service> services;
    for (std::uint16_t id = 1; id < BALLAST_MAX_SERVICES; ++id) {
        const ballast_limit* row = limit(id);
        if (!row)
            continue;
        Service service;
        service.name = service_name(id);
        if (row->max_connections != BALLAST_UNLIMITED)
            service.max_connections = row->max_connections;
        service.mode = static_cast<Mode>(row->mode);
        service.on_limit = static_cast<OnLimit>(row->on_limit);
        service.origin = "adopted from the running policy";
        services.push_back(std::move(service));
    }
    return services;
}

Result<std::vector<std::uint16_t>> PolicyMap::assign_ids(const Policy& policy) {
    std::unordered_map<std::string, std::uint16_t> known;
    for (std::uint16_t id = 1; id < BALLAST_MAX_SERVICES; ++id)
        if (auto name = service_name(id); !name.empty())
            known.emplace(std::move(name), id);
    std::vector<bool> taken = ids_in_use(*maps_);
    for (const auto& service : policy.services)
        if (const auto found = known.find(service.name); found != known.end())
            taken[found->second] = true;
    std::vector<std::uint16_t> ids;
    std::uint16_t next = 1;
    for (const auto& service : policy.services) {
        if (const auto found = known.find(service.name); found != known.end()) {
            ids.push_back(found->second);
            continue;
        }
        while (next < BALLAST_MAX_SERVICES && taken[next])
            ++next;
        if (next == BALLAST_MAX_SERVICES)
            return fail(
                Error(fmt::format("no service id is free for {}: all {} are in use, some by "
                                  "connections of services that left the policy",
                                  service.name, BALLAST_MAX_SERVICES - 1))
                    .hint("try again once those connections have closed"));
        taken[next] = true;
        ids.push_back(next);
    }
    return ids;
}

void PolicyMap::write_limits(const Policy& policy, const std::vector<std::uint16_t>& ids,
                             unsigned half) {
    const auto rows =
        maps_->limits.all().subspan(half * BALLAST_MAX_SERVICES, BALLAST_MAX_SERVICES);
    std::ranges::fill(rows, ballast_limit{});
    for (std::size_t i = 0; i < ids.size(); ++i) {
        rows[ids[i]] = to_limit(policy.services[i], ids[i]);
        store_name(maps_->service_names[ids[i]], policy.services[i].name);
    }
}

Result<Fd> PolicyMap::build_trie(const Policy& policy, const std::vector<std::uint16_t>& ids,
                                 unsigned half) {
    bpf_map_create_opts options{};
    options.sz = sizeof(options);
    options.map_flags = BPF_F_NO_PREALLOC;
    Fd trie(::bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "ballast_prefix", sizeof(ballast_prefix_key),
                             sizeof(ballast_prefix_rule), BALLAST_MAX_PREFIXES, &options));
    if (!trie)
        return fail(Error::system("create the policy's prefix trie", errno));
    const PrefixRules rules = prefix_rules(policy);
    for (const auto& rule : rules.rules) {
        ballast_prefix_key key{.prefix_len = rule.prefix.length, .address = {}};
        std::ranges::copy(rule.prefix.address.bytes, key.address);
        ballast_prefix_rule value{};
        value.span_count = static_cast<__u32>(rule.spans.size());
        if (value.span_count > BALLAST_MAX_PORT_SPANS)
            return fail(
                Error(fmt::format("{} needs {} port spans, more than {}", rule.prefix.text(),
                                  value.span_count, BALLAST_MAX_PORT_SPANS)));
        for (std::size_t i = 0; i < rule.spans.size(); ++i) {
            const std::uint16_t service = for_everyone(rules.candidates(rule.spans[i]));
            const auto row = service ? half * BALLAST_MAX_SERVICES + ids[service - 1U] : 0U;
            value.spans[i] = {.first = rule.spans[i].first, .limit = static_cast<__u16>(row)};
        }
        if (::bpf_map_update_elem(trie.get(), &key, &value, BPF_ANY))
            return fail(Error::system(
                fmt::format("add {} to the policy's prefix trie", rule.prefix.text()), errno));
    }
    return trie;
}

Result<void> PolicyMap::swap(const Fd& trie) {
    const __u32 inner = static_cast<__u32>(trie.get());
    if (::bpf_map_update_elem(maps_->policy.get(), &only_element, &inner, BPF_ANY))
        return fail(Error::system("put the policy in force", errno));
    return {};
}

Result<void> PolicyMap::put(const Policy& policy) {
    const auto ids = assign_ids(policy);
    if (!ids)
        return fail(ids.error());
    const unsigned half = 1 - half_;
    write_limits(policy, *ids, half);
    auto trie = build_trie(policy, *ids, half);
    if (!trie)
        return fail(trie.error());
    if (auto swapped = swap(*trie); !swapped)
        return swapped;
    trie_ = std::move(*trie);
    half_ = half;
    ++maps_->control->policy_generation;
    return {};
}

Result<void> PolicyMap::wait_for_programs() {
    // kernel/bpf/syscall.c: updating a map of maps ends in maybe_wait_bpf_programs(), which waits
    // for an RCU grace period, also when the value does not change.
    return trie_ ? swap(trie_) : fail(Error("no policy has been put in force by this process"));
}

} // namespace ballast::kernel

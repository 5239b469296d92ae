// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/policy_map.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <span>

#include <bpf/bpf.h>

#include "bpf/lib/atomic.h"
#include "daemon/kernel/service_row.h"
#include "daemon/model/prefix_rules.h"

namespace ballast::kernel {

namespace {

constexpr std::uint32_t only_element = 0;

std::string text_of_name(const ballast_service_name& name) {
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
    for (const auto& destination : maps.destinations.first(count))
        if (destination.service < BALLAST_MAX_SERVICES)
            used[destination.service] = true;
    return used;
}

/// Which half of its map a span's `row` is in.
unsigned half_of(unsigned row) {
    constexpr unsigned alternative = BALLAST_ALTERNATIVE;
    return (row & alternative) != 0 ? (row - alternative) / BALLAST_MAX_ALTERNATIVES
                                    : row / BALLAST_MAX_SERVICES;
}

} // namespace

PolicyMap::PolicyMap(Maps& maps) : maps_(&maps) {
    adopt_trie();
}

/// Which half of `services` is in force is read off the trie itself: a daemon may have died between
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
            if (span.row) {
                half_ = half_of(span.row);
                return;
            }
    }
}

std::string PolicyMap::service_name(std::uint16_t id) const {
    const std::scoped_lock lock(mutex_);
    return name_at(id);
}

std::string PolicyMap::name_at(std::uint16_t id) const {
    return id && id < BALLAST_MAX_SERVICES ? text_of_name(maps_->service_names[id]) : std::string();
}

const ballast_service* PolicyMap::limit(std::uint16_t id) const {
    if (!id || id >= BALLAST_MAX_SERVICES)
        return nullptr;
    const auto& row = maps_->services[half_ * BALLAST_MAX_SERVICES + id];
    return row.service == id ? &row : nullptr;
}

const ballast_service* PolicyMap::limit(const std::string& name) const {
    for (std::uint16_t id = 1; !name.empty() && id < BALLAST_MAX_SERVICES; ++id)
        if (service_name(id) == name)
            return limit(id);
    return nullptr;
}

std::vector<Service> PolicyMap::recall() const {
    std::vector<Service> services;
    for (std::uint16_t id = 1; id < BALLAST_MAX_SERVICES; ++id) {
        const ballast_service* row = limit(id);
        if (!row)
            continue;
        Service service = from_row(*row);
        service.name = service_name(id);
        service.origin = "adopted from the running policy";
        services.push_back(std::move(service));
    }
    return services;
}

std::unordered_map<std::string, std::uint16_t> PolicyMap::known_names() const {
    std::unordered_map<std::string, std::uint16_t> known;
    for (std::uint16_t id = 1; id < BALLAST_MAX_SERVICES; ++id)
        if (auto name = name_at(id); !name.empty())
            known.emplace(std::move(name), id);
    return known;
}

std::vector<std::uint16_t> PolicyMap::ids_of(const Policy& policy) const {
    const std::scoped_lock lock(mutex_);
    const auto known = known_names();
    std::vector<std::uint16_t> ids;
    for (const auto& service : policy.services) {
        const auto at = known.find(service.name);
        ids.push_back(at == known.end() ? std::uint16_t{0} : at->second);
    }
    return ids;
}

Result<std::vector<std::uint16_t>> PolicyMap::assign_ids(const Policy& policy) {
    const auto known = known_names();
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

void PolicyMap::write_services(const Policy& policy, const std::vector<std::uint16_t>& ids,
                               unsigned half) {
    const auto rows =
        maps_->services.all().subspan(half * BALLAST_MAX_SERVICES, BALLAST_MAX_SERVICES);
    std::ranges::fill(rows, ballast_service{});
    for (std::size_t i = 0; i < ids.size(); ++i) {
        rows[ids[i]] = to_row(policy.services[i], ids[i]);
        store_name(maps_->service_names[ids[i]], policy.services[i].name);
    }
}

void PolicyMap::write_patterns(const Policy& policy, unsigned half) {
    const auto slots =
        maps_->from_patterns.all().subspan(half * std::size_t{BALLAST_MAX_FROM}, BALLAST_MAX_FROM);
    std::ranges::fill(slots, ballast_from_pattern{});
    std::size_t n = 0;
    for (const auto& pattern : from_patterns(policy))
        pattern.copy(slots[n++].text, BALLAST_FROM_LENGTH - 1);
}

/// Writes the alternatives of each list behind each other; what a span says of each list.
std::vector<std::uint16_t> PolicyMap::write_alternatives(const PrefixRules& rules,
                                                         const std::vector<std::uint16_t>& ids,
                                                         unsigned half) {
    const auto row_of = [&](const Candidate& candidate) {
        return static_cast<std::uint16_t>(half * BALLAST_MAX_SERVICES +
                                          ids[candidate.service - 1U]);
    };
    const auto generation = static_cast<std::uint32_t>(maps_->control->policy_generation + 1);
    std::uint32_t next = half * BALLAST_MAX_ALTERNATIVES;
    std::vector<std::uint16_t> rows;
    for (const Candidates& list : rules.lists) {
        if (alternatives(list) == 0) {
            rows.push_back(list.empty() ? std::uint16_t{0} : row_of(list.front()));
            continue;
        }
        rows.push_back(static_cast<std::uint16_t>(BALLAST_ALTERNATIVE | next));
        for (const Candidate& candidate : list) {
            ballast_alternative& entry = maps_->alternatives[next++];
            entry = {.from = {}, .generation = generation, .row = row_of(candidate), .next = 0};
            for (const auto pattern : candidate.from)
                entry.from[pattern / 64U] |= 1ULL << (pattern % 64U);
            if (&candidate != &list.back())
                entry.next = static_cast<std::uint16_t>(BALLAST_ALTERNATIVE | next);
        }
    }
    return rows;
}

Result<void> PolicyMap::add_rule(const Fd& trie, const PrefixRule& rule,
                                 const std::vector<std::uint16_t>& rows) {
    ballast_prefix_key key{.prefix_len = rule.prefix.length, .address = {}};
    std::ranges::copy(rule.prefix.address.bytes, key.address);
    ballast_prefix_rule value{};
    value.span_count = static_cast<__u32>(rule.spans.size());
    if (value.span_count > BALLAST_MAX_PORT_SPANS)
        return fail(Error(fmt::format("{} needs {} port spans, more than {}", rule.prefix.text(),
                                      value.span_count, BALLAST_MAX_PORT_SPANS)));
    for (std::size_t i = 0; i < rule.spans.size(); ++i)
        value.spans[i] = {.first = rule.spans[i].first, .row = rows[rule.spans[i].list]};
    if (::bpf_map_update_elem(trie.get(), &key, &value, BPF_ANY))
        return fail(Error::system(
            fmt::format("add {} to the policy's prefix trie", rule.prefix.text()), errno));
    return {};
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
    if (rules.crowded)
        return fail(Error(
            fmt::format("{} leaves more alternatives by `from` than fit", rules.crowded->text())));
    const auto rows = write_alternatives(rules, ids, half);
    for (const auto& rule : rules.rules)
        if (auto added = add_rule(trie, rule, rows); !added)
            return fail(added.error());
    return trie;
}

Result<void> PolicyMap::swap(const Fd& trie) {
    const __u32 inner = static_cast<__u32>(trie.get());
    if (::bpf_map_update_elem(maps_->policy.get(), &only_element, &inner, BPF_ANY))
        return fail(Error::system("put the policy in force", errno));
    return {};
}

/// Whether programs have to read the clock: where no service needs it, no connection pays for it.
bool PolicyMap::watches_times(const Policy& policy) {
    return std::ranges::any_of(policy.services, [](const Service& service) {
        return service.breaker.slow_connect.count() != 0 ||
               service.breaker.reset_within.count() != 0;
    });
}

void PolicyMap::watch_times(bool wanted) {
    __atomic_store_n(&maps_->control->watch_times, wanted ? 1U : 0U, __ATOMIC_SEQ_CST);
}

Result<void> PolicyMap::put(const Policy& policy) {
    const std::scoped_lock lock(mutex_);
    const auto ids = assign_ids(policy);
    if (!ids)
        return fail(ids.error());
    const unsigned half = 1 - half_;
    write_services(policy, *ids, half);
    write_patterns(policy, half);
    auto trie = build_trie(policy, *ids, half);
    if (!trie)
        return fail(trie.error());
    if (auto swapped = swap(*trie); !swapped)
        return swapped;
    trie_ = std::move(*trie);
    half_ = half;
    watch_times(watches_times(policy) || maps_->control->watch_times != 0);
    __atomic_store_n(&maps_->control->half, half, __ATOMIC_RELEASE);
    watch_times(watches_times(policy));
    ++maps_->control->policy_generation;
    shorten_rates();
    return {};
}

/// A longer burst of an earlier policy would hold everybody up (bpf/lib/rate.h).
void PolicyMap::shorten_rates() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const auto now_ns = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
    const auto used =
        std::min<std::uint32_t>(maps_->control->next_destination, BALLAST_MAX_DESTINATIONS);
    for (auto& destination : maps_->destinations.first(used)) {
        const ballast_service* row = limit(destination.service);
        const std::uint64_t latest = now_ns + (row ? row->rate_burst_ns : 0);
        const std::uint64_t due = BALLAST_LOAD(destination.rate_tat_ns);
        if (due > latest)
            (void)ballast_swap_if_u64(&destination.rate_tat_ns, due, latest);
    }
}

Result<void> PolicyMap::wait_for_programs() {
    const std::scoped_lock lock(mutex_); // or the policy before the one just put would be back
    // kernel/bpf/syscall.c: updating a map of maps ends in maybe_wait_bpf_programs(), which waits
    // for an RCU grace period, also when the value does not change.
    return trie_ ? swap(trie_) : fail(Error("no policy has been put in force by this process"));
}

} // namespace ballast::kernel

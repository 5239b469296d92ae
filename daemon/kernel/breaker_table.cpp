// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/breaker_table.h"

#include <algorithm>
#include <cstring>

#include <bpf/bpf.h>

#include "bpf/lib/breaker.h"

namespace ballast::kernel {

namespace {

std::uint64_t now_ms() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

std::chrono::milliseconds between(std::uint64_t from_ms, std::uint64_t to_ms) {
    return std::chrono::milliseconds(to_ms > from_ms ? to_ms - from_ms : 0);
}

template <std::size_t Size>
std::string text_of(const char (&text)[Size]) {
    return {text, ::strnlen(text, Size)};
}

template <std::size_t Size>
void store_text(char (&slot)[Size], const std::string& text) {
    std::memset(slot, 0, Size);
    std::memcpy(slot, text.data(), std::min(text.size(), Size - 1));
}

std::string error_name(int error) {
    const char* name = error ? ::strerrorname_np(error) : nullptr;
    if (name)
        return name;
    return error ? fmt::format("errno {}", error) : std::string();
}

void add_times(BreakerRow& row, const ballast_breaker& breaker, std::uint64_t now) {
    const std::uint64_t word = BALLAST_LOAD(breaker.word);
    const std::uint64_t deadline = ballast_breaker_deadline_ms(word);
    row.state = static_cast<BreakerState>(ballast_breaker_state(word));
    if (row.state == BreakerState::ramp && now >= deadline)
        row.state = BreakerState::closed; // the next connect() will say so
    row.level = ballast_breaker_level(word);
    if (breaker.since_ms)
        row.since = between(breaker.since_ms, now);
    if (row.state != BreakerState::closed)
        row.until = between(now, deadline);
}

void add_order(BreakerRow& row, const ballast_breaker& breaker, std::uint64_t now) {
    row.forced = static_cast<BreakerForce>(ballast_breaker_forced(&breaker, now));
    if (row.forced == BreakerForce::none)
        return;
    row.forced_by = text_of(breaker.forced_by);
    row.forced_reason = text_of(breaker.forced_reason);
    if (breaker.forced_until_ms)
        row.forced_for = between(now, breaker.forced_until_ms);
}

} // namespace

std::uint32_t BreakerTable::used() const {
    return std::min<std::uint32_t>(maps_->control->next_breaker, BALLAST_MAX_BREAKERS);
}

std::uint16_t BreakerTable::service_of(const ballast_breaker& breaker) const {
    return maps_->destinations[breaker.destination % BALLAST_MAX_DESTINATIONS].service;
}

BreakerTable::Known BreakerTable::read_one(const ballast_breaker& breaker,
                                           const ballast_service* limits) const {
    const std::uint64_t now = now_ms();
    const auto& destination = maps_->destinations[breaker.destination % BALLAST_MAX_DESTINATIONS];
    Known known{.destination = breaker.destination, .service = destination.service, .row = {}};
    BreakerRow& row = known.row;
    std::memcpy(row.endpoint.address.bytes.data(), destination.address,
                sizeof(destination.address));
    row.endpoint.port = destination.port;
    row.mode = limits ? static_cast<Mode>(limits->breaker.mode) : Mode::off;
    add_times(row, breaker, now);
    add_order(row, breaker, now);
    ballast_breaker copy = breaker; // counting takes one that may be changed
    for (std::uint32_t kind = 0; limits && kind < BALLAST_FAILURES; ++kind)
        row.failures.at(kind) = ballast_breaker_window_count(&copy, &limits->breaker, kind, now);
    row.last_error = error_name(breaker.last_error);
    row.opened = breaker.opened;
    row.withheld = breaker.withheld;
    row.refused = destination.refused[BALLAST_REASON_BREAKER];
    row.would_refuse = destination.over[BALLAST_REASON_BREAKER];
    return known;
}

std::uint32_t BreakerTable::new_index() {
    std::uint32_t index = 0;
    if (::bpf_map_lookup_and_delete_elem(maps_->free_breakers.get(), nullptr, &index) == 0)
        return index;
    index = __atomic_fetch_add(&maps_->control->next_breaker, 1, __ATOMIC_SEQ_CST);
    if (index < BALLAST_MAX_BREAKERS)
        return index;
    __atomic_fetch_sub(&maps_->control->next_breaker, 1, __ATOMIC_SEQ_CST);
    return 0;
}

ballast_breaker* BreakerTable::find_or_add(std::uint32_t destination) {
    auto& owner = maps_->destinations[destination];
    if (!BALLAST_LOAD(owner.breaker)) {
        const std::uint32_t index = new_index();
        if (!index)
            return nullptr;
        // The first maker is nobody in particular: a person's or the governor's.
        __atomic_fetch_add(&maps_->makers->breakers[0], 1, __ATOMIC_SEQ_CST);
        maps_->breakers[index].destination = destination;
        maps_->breakers[index].maker = 0;
        maps_->breakers[index].in_use = 1;
        if (!ballast_swap_if_u32(&owner.breaker, 0, index)) {
            maps_->breakers[index].in_use = 0;
            __atomic_fetch_sub(&maps_->makers->breakers[0], 1, __ATOMIC_SEQ_CST);
            (void)::bpf_map_update_elem(maps_->free_breakers.get(), nullptr, &index, BPF_ANY);
        }
    }
    return &maps_->breakers[BALLAST_LOAD(owner.breaker)];
}

/// As bpf/breaker.h, ballast_mark_breaker(), does.
void BreakerTable::mark(const ballast_breaker& breaker) {
    auto& ask = maps_->destinations[breaker.destination].ask;
    const std::uint32_t wanted = ballast_breaker_is_closed_for_good(&breaker) ? 0 : 1;
    __atomic_store_n(&ask, wanted, __ATOMIC_SEQ_CST);
    if (!wanted && !ballast_breaker_is_closed_for_good(&breaker))
        __atomic_store_n(&ask, 1, __ATOMIC_SEQ_CST);
}

Result<void> BreakerTable::force_one(std::uint32_t destination, const BreakerOrder& order) {
    ballast_breaker* breaker = find_or_add(destination);
    if (!breaker)
        return fail(Error(fmt::format("force the breaker of {}: all {} breakers are in use",
                                      order.endpoint.text(), BALLAST_MAX_BREAKERS - 1)));
    __atomic_store_n(&breaker->forced, __u32{BALLAST_FORCE_NONE}, __ATOMIC_SEQ_CST);
    store_text(breaker->forced_by, order.by);
    store_text(breaker->forced_reason, order.reason);
    const std::uint64_t until =
        order.lasts ? now_ms() + static_cast<std::uint64_t>(order.lasts->count()) : 0;
    __atomic_store_n(&breaker->forced_until_ms, until, __ATOMIC_SEQ_CST);
    __atomic_store_n(&breaker->forced, static_cast<__u32>(order.force), __ATOMIC_SEQ_CST);
    mark(*breaker);
    return {};
}

Result<void> BreakerTable::force(const BreakerOrder& order) {
    const auto count =
        std::min<std::uint32_t>(maps_->control->next_destination, BALLAST_MAX_DESTINATIONS);
    bool found = false;
    for (std::uint32_t index = 0; index < count; ++index) {
        const auto& destination = maps_->destinations[index];
        if (!destination.service || destination.port != order.endpoint.port ||
            !std::ranges::equal(destination.address, order.endpoint.address.bytes))
            continue;
        found = true;
        if (auto forced = force_one(index, order); !forced)
            return forced;
    }
    if (found)
        return {};
    return fail(
        Error(fmt::format("{} is not among the governed destinations", order.endpoint.text()))
            .hint("a destination is known from its first connect() on; `ballast health` "
                  "lists them"));
}

std::string BreakerTable::forced_by(std::uint32_t destination) const {
    const std::uint32_t index = maps_->destinations[destination].breaker;
    if (!index || maps_->breakers[index].forced == BALLAST_FORCE_NONE)
        return {};
    return text_of(maps_->breakers[index].forced_by);
}

void BreakerTable::expire(std::uint64_t now) {
    for (std::uint32_t index = 1; index < used(); ++index) {
        ballast_breaker& breaker = maps_->breakers[index];
        if (!breaker.in_use || BALLAST_LOAD(breaker.forced) == BALLAST_FORCE_NONE ||
            ballast_breaker_forced(&breaker, now) != BALLAST_FORCE_NONE)
            continue;
        __atomic_store_n(&breaker.forced, __u32{BALLAST_FORCE_NONE}, __ATOMIC_SEQ_CST);
        mark(breaker);
    }
}

} // namespace ballast::kernel

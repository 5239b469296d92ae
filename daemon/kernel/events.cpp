// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/events.h"

#include <algorithm>
#include <cstring>

#include <bpf/libbpf.h>

#include "bpf/abi.h"
#include "daemon/kernel/flows.h"

namespace ballast::kernel {

namespace {

BreakerEvent to_event(const ballast_event& record) {
    BreakerEvent event{.change = {}, .service = record.service};
    BreakerChange& change = event.change;
    change.index = record.destination;
    std::memcpy(change.endpoint.address.bytes.data(), record.address, sizeof(record.address));
    change.endpoint.port = record.port;
    change.mode = static_cast<Mode>(record.mode);
    change.from = static_cast<BreakerState>(record.from);
    change.to = static_cast<BreakerState>(record.to);
    change.withheld = record.withheld != 0;
    change.level = record.level;
    if (record.deadline_ms > record.now_ms)
        change.lasts = std::chrono::milliseconds(record.deadline_ms - record.now_ms);
    std::ranges::copy(record.counts, change.failures.begin());
    change.established = record.established;
    change.is_for_some = record.scope != 0;
    change.cgroup = static_cast<std::uint32_t>(record.who >> 32U);
    change.netns = static_cast<std::uint32_t>(record.who);
    if (const char* name = record.last_error ? ::strerrorname_np(record.last_error) : nullptr)
        change.last_error = name;
    return event;
}

Suspected to_event(const ballast_suspicion& record) {
    static const std::uint32_t hz = jiffies_per_second();
    return {.suspicion = to_model(record, hz), .service = record.service};
}

template <typename Event>
struct RecordOf;
template <>
struct RecordOf<BreakerEvent> {
    using Type = ballast_event;
};
template <>
struct RecordOf<Suspected> {
    using Type = ballast_suspicion;
};

template <typename Event>
int take(void* context, void* data, std::size_t size) {
    typename RecordOf<Event>::Type record{};
    if (size >= sizeof(record)) {
        std::memcpy(&record, data, sizeof(record));
        (*static_cast<typename Events<Event>::Sink*>(context))(to_event(record));
    }
    return 0;
}

} // namespace

template <typename Event>
void Events<Event>::Close::operator()(ring_buffer* buffer) const {
    ::ring_buffer__free(buffer);
}

template <typename Event>
Result<Events<Event>> Events<Event>::open(int map, Sink sink) {
    Events events;
    events.sink_ = std::make_unique<Sink>(std::move(sink));
    events.buffer_.reset(::ring_buffer__new(map, take<Event>, events.sink_.get(), nullptr));
    if (!events.buffer_)
        return fail(Error::system("open the ring buffer of events", errno));
    return events;
}

template <typename Event>
int Events<Event>::descriptor() const {
    return ::ring_buffer__epoll_fd(buffer_.get());
}

template <typename Event>
void Events<Event>::consume() {
    (void)::ring_buffer__consume(buffer_.get());
}

template class Events<BreakerEvent>;
template class Events<Suspected>;

} // namespace ballast::kernel

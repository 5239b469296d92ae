// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/breaker_events.h"

#include <cstring>

#include <bpf/libbpf.h>

namespace ballast::kernel {

namespace {

int take(void* context, void* data, std::size_t size) {
    ballast_event event{};
    if (size >= sizeof(event)) {
        std::memcpy(&event, data, sizeof(event));
        (*static_cast<BreakerEvents::Sink*>(context))(event);
    }
    return 0;
}

} // namespace

void BreakerEvents::Close::operator()(ring_buffer* buffer) const {
    ::ring_buffer__free(buffer);
}

Result<BreakerEvents> BreakerEvents::open(int map, Sink sink) {
    BreakerEvents events;
    events.sink_ = std::make_unique<Sink>(std::move(sink));
    events.buffer_.reset(::ring_buffer__new(map, take, events.sink_.get(), nullptr));
    if (!events.buffer_)
        return fail(Error::system("open the ring buffer of events", errno));
    return events;
}

int BreakerEvents::descriptor() const {
    return ::ring_buffer__epoll_fd(buffer_.get());
}

void BreakerEvents::consume() {
    (void)::ring_buffer__consume(buffer_.get());
}

} // namespace ballast::kernel

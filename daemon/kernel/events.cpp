// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/events.h"

#include <cstring>

#include <bpf/libbpf.h>

namespace ballast::kernel {

namespace {

template <typename Record>
int take(void* context, void* data, std::size_t size) {
    Record record{};
    if (size >= sizeof(record)) {
        std::memcpy(&record, data, sizeof(record));
        (*static_cast<typename Events<Record>::Sink*>(context))(record);
    }
    return 0;
}

} // namespace

template <typename Record>
void Events<Record>::Close::operator()(ring_buffer* buffer) const {
    ::ring_buffer__free(buffer);
}

template <typename Record>
Result<Events<Record>> Events<Record>::open(int map, Sink sink) {
    Events events;
    events.sink_ = std::make_unique<Sink>(std::move(sink));
    events.buffer_.reset(::ring_buffer__new(map, take<Record>, events.sink_.get(), nullptr));
    if (!events.buffer_)
        return fail(Error::system("open the ring buffer of events", errno));
    return events;
}

template <typename Record>
int Events<Record>::descriptor() const {
    return ::ring_buffer__epoll_fd(buffer_.get());
}

template <typename Record>
void Events<Record>::consume() {
    (void)::ring_buffer__consume(buffer_.get());
}

template class Events<ballast_event>;
template class Events<ballast_suspicion>;

} // namespace ballast::kernel

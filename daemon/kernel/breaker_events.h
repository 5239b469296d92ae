// SPDX-License-Identifier: Apache-2.0
// Changes of breakers as the programs report them, in the order they happened. What does not fit in
// the ring buffer is counted in `counters.events_lost`.
#pragma once

#include <functional>
#include <memory>

#include "bpf/abi.h"
#include "daemon/util/error.h"
#include "daemon/util/fd.h"

struct ring_buffer;

namespace ballast::kernel {

class BreakerEvents {
public:
    using Sink = std::function<void(const ballast_event&)>;

    /// Reads from the map `events`, open as `map`, which the object does not own.
    static Result<BreakerEvents> open(int map, Sink sink);

    /// Becomes readable when there is something to consume.
    [[nodiscard]] int descriptor() const;

    /// Hands all there is to the sink.
    void consume();

private:
    struct Close {
        void operator()(ring_buffer* buffer) const;
    };
    std::unique_ptr<Sink> sink_;
    std::unique_ptr<ring_buffer, Close> buffer_;
};

} // namespace ballast::kernel

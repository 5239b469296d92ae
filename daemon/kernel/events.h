// SPDX-License-Identifier: Apache-2.0
// What the programs report through ring buffers, in the order it happened. What does not fit there
// is counted by the programs (bpf/abi.h, struct ballast_counters).
#pragma once

#include <functional>
#include <memory>

#include "bpf/abi.h"
#include "daemon/util/error.h"
#include "daemon/util/fd.h"

struct ring_buffer;

namespace ballast::kernel {

/// A ring buffer of records of one type.
template <typename Record>
class Events {
public:
    using Sink = std::function<void(const Record&)>;

    /// Reads from the ring buffer open as `map`, which the object does not own.
    static Result<Events> open(int map, Sink sink);

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

using BreakerEvents = Events<ballast_event>; ///< changes of breakers
using Suspicions = Events<ballast_suspicion>;

} // namespace ballast::kernel

// SPDX-License-Identifier: Apache-2.0
// Events that the programs report through ring buffers, in order, in the terms of the model. Those
// that do not fit there are counted by the programs (bpf/abi.h, struct ballast_counters).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "daemon/model/breaker_change.h"
#include "daemon/model/half_open.h"
#include "daemon/util/error.h"

struct ring_buffer;

namespace ballast::kernel {

/// A change of a breaker.
struct BreakerEvent {
    BreakerChange change;      ///< without the service's name
    std::uint16_t service = 0; ///< as the maps call it
};

/// A flow whose peer is silent.
struct Suspected {
    Suspicion suspicion;       ///< without the service's name
    std::uint16_t service = 0; ///< as the maps call it; 0: none governs it
};

/// A ring buffer of events of one type.
template <typename Event>
class Events {
public:
    using Sink = std::function<void(const Event&)>;

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

using BreakerEvents = Events<BreakerEvent>;
using Suspicions = Events<Suspected>;

} // namespace ballast::kernel

// SPDX-License-Identifier: Apache-2.0
// One connection that never sends payload: it is observed through TCP_INFO and probed by the
// kernel's own keepalive, whatever protocol its server speaks.
#pragma once

#include <chrono>
#include <cstdint>

#include "cli/discover/target.h"
#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::cli {

class FlowSocket {
public:
    /// The state that TCP_INFO reports.
    struct Sight {
        std::uint32_t segments_in = 0;
        std::uint32_t segments_out = 0;
        std::chrono::milliseconds since_received{0};
        std::chrono::microseconds rtt{0}; ///< 0: not measured
    };

    FlowSocket() = default;

    /// Begins to connect and does not wait. Fails where connect() does at once, as it does when
    /// Ballast refuses.
    static Result<FlowSocket> connect(const Peer& peer);

    [[nodiscard]] int fd() const { return fd_.get(); }
    /// Takes the error that is pending, as an errno; 0: none.
    [[nodiscard]] int take_error() const;
    [[nodiscard]] Result<Sight> look() const;

    /// Has the kernel send one keepalive probe within a tick of its clock. The connection has to
    /// have been silent for more than a second.
    [[nodiscard]] Result<void> probe() const;

    /// Throws away what has been received.
    void drain() const;
    /// Closes in order, by FIN.
    void close() { fd_.reset(); }
    /// Closes and leaves nothing behind: no FIN is sent again and again to nobody.
    void abort();

private:
    explicit FlowSocket(Fd fd) : fd_(std::move(fd)) {}

    Fd fd_;
};

} // namespace ballast::cli

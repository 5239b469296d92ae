// SPDX-License-Identifier: Apache-2.0
// What the other flows of a peer show of its path: how much it loses, and how large segments are
// that get through. Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "daemon/guards/half_open/half_open_suspect.h"

namespace ballast::guards {

/// Much of all it sent was lost, as on a path that loses packets from the start.
inline bool lost_much(const TcpFacts& tcp) {
    return tcp.total_retrans >= 3 && tcp.total_retrans * std::uint64_t{10} >= tcp.data_segs_out &&
           tcp.data_segs_out > 0;
}

/// Now, since it had retransmitted `first` segments, or in all.
inline bool is_losing(const TcpFacts& tcp, std::uint32_t first) {
    return tcp.retransmits > 0 || tcp.total_retrans - first >= 2 || lost_much(tcp);
}

/// What the other flows of a peer show of its path.
class Neighbours {
public:
    /// first: what the flow had sent when it was first seen.
    void add(const DiagSocket& socket, const Sent& first, Monotonic now) {
        const TcpFacts& tcp = socket.tcp;
        ++flows_;
        losing_ += is_losing(tcp, first.again) ? 1U : 0U;
        since_.all += tcp.data_segs_out - first.all;
        since_.again += tcp.total_retrans - first.again;
        if (tcp.retransmits > 0 || now - heard_at(socket, now) >= lately)
            return;
        sent_ += tcp.data_segs_out;
        lost_ += tcp.total_retrans;
        if (tcp.data_segs_out > tcp.total_retrans)
            largest_ = std::max<std::uint64_t>(
                largest_, tcp.bytes_acked / (tcp.data_segs_out - tcp.total_retrans));
    }

    /// It is lossy if one flow in ten loses now, has lost twice since the first look, or has lost
    /// much in all, or if all together lost much since the first look; it loses little if those
    /// that were heard of lately have sent enough to show that.
    [[nodiscard]] PathLoss loss() const {
        constexpr std::uint64_t enough = 20;
        const bool lost_much_since = since_.again >= 2 && since_.again * 20ULL >= since_.all;
        if ((losing_ > 0 && losing_ * 10 >= flows_) || lost_much_since)
            return PathLoss::much;
        return sent_ >= enough && lost_ * 20 < sent_ ? PathLoss::little : PathLoss::unknown;
    }

    [[nodiscard]] std::size_t flows() const { return flows_; }
    [[nodiscard]] std::uint64_t largest() const { return largest_; }

private:
    static constexpr std::chrono::seconds lately{5};
    std::size_t flows_ = 0;
    std::size_t losing_ = 0;
    Sent since_;             ///< the first look, by all
    std::uint64_t sent_ = 0; ///< segments with data; all of those heard of lately
    std::uint64_t lost_ = 0;
    std::uint64_t largest_ = 0; ///< mean bytes of a segment
};

} // namespace ballast::guards

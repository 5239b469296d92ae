// SPDX-License-Identifier: Apache-2.0
// The reservation table as the daemon works on it: the same memory as the programs, by the same
// swaps, so that whatever both try is done once (invariant R2 of bpf/lib/reservation.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <span>

#include "bpf/abi.h"
#include "daemon/kernel/counts.h"

namespace ballast::kernel {

/// CLOCK_MONOTONIC.
using Monotonic = std::chrono::steady_clock::time_point;

class Reservations {
public:
    static constexpr std::uint32_t most = BALLAST_MAX_RESERVATIONS;

    Reservations(std::span<ballast_bucket> buckets, Counts::Memory memory)
        : buckets_(buckets), counts_(memory) {}

    /// Entries, used or not; they are numbered from 0.
    [[nodiscard]] std::uint32_t size() const {
        return static_cast<std::uint32_t>(buckets_.size() * BALLAST_BUCKET_WIDTH);
    }
    [[nodiscard]] ballast_reservation& at(std::uint32_t number) const {
        return buckets_[number / BALLAST_BUCKET_WIDTH].entries[number % BALLAST_BUCKET_WIDTH];
    }
    [[nodiscard]] std::span<const ballast_bucket> buckets() const { return buckets_; }
    [[nodiscard]] const Counts& counts() const { return counts_; }

    /// Gives back what the socket's entry holds; false: another caller just did.
    [[nodiscard]] bool release(std::uint32_t number, std::uint64_t cookie) const;

private:
    std::span<ballast_bucket> buckets_;
    Counts counts_;
};

} // namespace ballast::kernel

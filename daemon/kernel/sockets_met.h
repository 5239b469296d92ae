// SPDX-License-Identifier: Apache-2.0
// The sockets that a sweep has met, over its pass over files and its visits, so that each is
// reported once: several processes may have the same one open, and a visit meets again what the
// pass over files met. Identified by their cookies. Pure.
//
// Only a visit can set keepalive, so where that is needed the record from the files waits: it is
// reported at the sweep's end, unless a visit reported a newer one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "bpf/abi.h"

namespace ballast::kernel {

class SocketsMet {
public:
    /// Sockets that are identified; beyond, they may be reported twice, which is counted.
    static constexpr std::size_t most = 1U << 20U;
    /// Records that wait; further ones are reported as they are.
    static constexpr std::size_t most_waiting = 1U << 16U;

    /// A new sweep has met nothing yet.
    void begin();

    /// Takes records of the pass over files; those to report, moved to the front.
    std::span<const ballast_flow> from_files(std::span<ballast_flow> flows);

    /// Takes records of a visit. One without a cookie was not met by the pass over files, which
    /// makes one for each socket.
    std::span<const ballast_flow> from_visit(std::span<ballast_flow> flows);

    /// Those still waiting for a visit. Ends the sweep.
    std::vector<ballast_flow> waited();

    /// Result of the pass over files in one network namespace.
    struct InNamespace {
        std::uint64_t sockets = 0; ///< listeners too
        bool is_untuned = false;   ///< some socket's keepalive is not as it should be
    };
    [[nodiscard]] InNamespace in(std::uint32_t netns) const;

    /// Sockets of this sweep that may have been reported twice.
    [[nodiscard]] std::uint64_t not_told_apart() const { return not_told_apart_; }

private:
    bool is_new(std::uint64_t cookie);
    bool note(const ballast_flow& flow);
    bool has_to_wait(const ballast_flow& flow);

    std::unordered_set<std::uint64_t> cookies_;
    std::unordered_map<std::uint64_t, ballast_flow> waiting_;
    std::unordered_map<std::uint32_t, InNamespace> spaces_;
    std::uint64_t not_told_apart_ = 0;
};

} // namespace ballast::kernel

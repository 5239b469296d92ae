// SPDX-License-Identifier: Apache-2.0
// The kernel's counts of sockets of all network namespaces, some of them counted anew at each look:
// two files are read for each, 40 microseconds together, which for hundreds would be most of a
// sweep.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/kernel/namespaces.h"
#include "daemon/kernel/socket_counts.h"
#include "daemon/util/error.h"

namespace ballast::kernel {

class SocketCensus {
public:
    /// Namespaces that are counted at one look.
    static constexpr std::size_t most = 64;

    /// Counts one; none: it is not there any more.
    using Count = std::function<Result<std::optional<SocketCounts>>(const NetNamespace&)>;

    /// Counts those whose counts are oldest, and forgets those that are not among `spaces`. Returns
    /// what went wrong.
    std::vector<std::string> look(std::span<const NetNamespace> spaces, const Count& count);

    /// Sockets in a namespace's hash tables; none: the last look did not count them.
    [[nodiscard]] std::optional<std::uint64_t> hashed(std::uint32_t netns) const;

    /// In TIME_WAIT in all namespaces, each as it was counted last.
    [[nodiscard]] std::uint64_t time_wait() const;

private:
    struct Counted {
        SocketCounts counts;
        std::uint64_t look = 0; ///< number of the look that counted it; 0: none did
    };

    std::unordered_map<std::uint32_t, Counted> known_;
    std::uint64_t looks_ = 0;
};

} // namespace ballast::kernel

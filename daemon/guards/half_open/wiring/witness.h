// SPDX-License-Identifier: Apache-2.0
// Fresh connects that show whether a destination is alive: made in the namespace of the dead flow,
// from its own address, interface and mark, given up soon, and closed at once.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "daemon/model/half_open.h"
#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::guards {

class Witness {
public:
    using Monotonic = std::chrono::steady_clock::time_point;
    /// is_answered: by the peer, be it with RST.
    using Outcome = std::function<void(const PeerKey& peer, bool is_answered)>;

    static constexpr std::chrono::milliseconds patience{1000};
    /// Connects under way at a time.
    static constexpr std::size_t most = 64;

    /// `proc` is "/proc", where namespaces are found.
    explicit Witness(std::string proc) : proc_(std::move(proc)) {}

    /// Begins a connect; does nothing if one to that peer is under way. Fails if none can be made.
    Result<void> ask(const PeerKey& peer, Monotonic now);

    /// Reports the outcomes known by now; call it often while is_asking().
    void look(Monotonic now, const Outcome& outcome);
    [[nodiscard]] bool is_asking() const { return !asked_.empty(); }

private:
    struct Asked {
        Fd socket;
        Monotonic since;
    };
    std::string proc_;
    std::map<PeerKey, Asked> asked_;
};

} // namespace ballast::guards

// SPDX-License-Identifier: Apache-2.0
// A host with one tuple whose local ports are counted, in made-up time.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "daemon/guards/ports/port_book.h"

namespace ballast::test {

inline constexpr std::uint32_t port_netns = 4026531840;

/// A host with one tuple, and passes a second apart.
class PortsHost {
public:
    PortsHost() { space_.netns = port_netns, space_.low = 32768, space_.high = 60999; }

    PortSpace& space() { return space_; }

    /// `used` ports, even ones first, of which `minis` wait and `ended` began to since the last
    /// pass. Returns the codes of what is reported.
    std::string pass(std::uint32_t used, std::uint32_t minis = 0, std::uint32_t ended = 0) {
        PortCount count;
        count.pass = ++pass_;
        count.began = now_ += std::chrono::seconds(1);
        count.since = std::chrono::seconds(1);
        count.spaces.emplace(port_netns, space_);
        count.orphans = orphans;
        count.taken = taken;
        TupleCount tuple;
        tuple.key = {port_netns, parse_address("10.0.0.2").value(),
                     parse_endpoint("10.0.0.9:80").value()};
        tuple.used.even = std::min(used, space_.capacity().even);
        tuple.used.odd = used - tuple.used.even;
        tuple.established = used - minis - close_wait;
        tuple.close_wait = close_wait;
        tuple.consumer = 7;
        tuple.self_connected = self_connected;
        tuple.time_wait = minis - fin_wait2;
        tuple.fin_wait2 = fin_wait2;
        tuple.ended = ended;
        tuple.ends.at(7) = minis;
        if (used != 0)
            count.tuples.push_back(tuple);
        std::string said;
        for (const auto& finding : book.read(count, now_, name)) {
            last = finding.evidence;
            said += std::string(said.empty() ? "" : " ") + std::string(name_of(finding.reason));
        }
        return said;
    }

    [[nodiscard]] PortRow row() const { return book.rows().at(0); }

    guards::PortBook book;
    std::uint32_t close_wait = 0; ///< of those in use
    std::uint32_t fin_wait2 = 0;  ///< of the mini-sockets
    std::uint32_t self_connected = 0;
    Orphans orphans;
    std::vector<TakenPort> taken;
    std::string last; ///< evidence

private:
    static std::string name(std::uint64_t cgroup) {
        return fmt::format("/unit-{}.service", cgroup);
    }
    PortSpace space_;
    std::uint32_t pass_ = 0;
    guards::PortBook::Monotonic now_{std::chrono::hours(1)};
};

} // namespace ballast::test

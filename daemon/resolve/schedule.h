// SPDX-License-Identifier: Apache-2.0
// When which name is asked for. Pure: time is passed in.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ballast {

class Schedule {
public:
    using Time = std::chrono::steady_clock::time_point;

    /// One that failed is asked for again after so long, or at the usual interval if that is
    /// shorter.
    static constexpr std::chrono::seconds retry_after{5};

    /// How long after an answer a name is asked for again.
    void set_interval(std::chrono::milliseconds wanted, Time now);

    /// From now on these names: what is new is due at once, what is gone is forgotten.
    void follow(const std::vector<std::string>& hosts, Time now);

    /// Names to ask for now, ascending; each is under way then, until answered() is told of it.
    std::vector<std::string> take_due(Time now);

    /// A name that is not followed is ignored.
    void answered(const std::string& host, bool resolved, Time now);

    /// When take_due() will have something; none while all are under way.
    [[nodiscard]] std::optional<Time> next() const;

private:
    struct Entry {
        Time due;
        bool under_way = false;
    };

    std::map<std::string, Entry> entries_;
    std::chrono::milliseconds interval_{30'000};
};

} // namespace ballast

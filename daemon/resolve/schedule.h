// SPDX-License-Identifier: Apache-2.0
// When each name is looked up. Pure: time is passed in.
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

    /// Delay before a failed lookup is retried; the usual interval applies if it is shorter.
    static constexpr std::chrono::seconds retry_after{5};

    /// The time from an answer to the next lookup of a name.
    void set_interval(std::chrono::milliseconds wanted, Time now);

    /// From now on these names: what is new is due at once, what is gone is forgotten.
    void follow(const std::vector<std::string>& hosts, Time now);

    /// Names to ask for now, ascending; each is under way until answered() is called for it.
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

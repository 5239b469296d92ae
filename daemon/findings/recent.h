// SPDX-License-Identifier: Apache-2.0
// The newest findings in memory, with similar ones coalesced, and which are not saved yet. Pure;
// time is passed in. Use it from one thread at a time.
// Invariants
// 1. Ids grow by one from finding to finding, and continue after those of recall().
// 2. A finding like another (reason, kind, destination, service, namespace, owner, whether anything
//    was done) and within `window` of it is counted there and not added.
// 3. A finding evicted before it was saved is counted as lost.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "daemon/model/finding_query.h"

namespace ballast::findings {

class Recent {
public:
    static constexpr std::size_t most = 2048;
    static constexpr std::chrono::seconds window{10};

    struct Now {
        std::chrono::steady_clock::time_point monotonic;
        std::chrono::system_clock::time_point wall;
    };

    /// An earlier daemon's saved findings, by id, newest last; `given`: ids up to it are used up.
    void recall(std::vector<KeptFinding> saved, std::uint64_t given);

    void add(Finding finding, const Now& now);

    /// The unsaved findings, by id; they count as saved unless put back.
    std::vector<KeptFinding> take_unsaved();
    /// They could not be saved.
    void put_back(const std::vector<KeptFinding>& taken);

    /// Of those in memory; total counts no others.
    [[nodiscard]] FindingPage page(const FindingQuery& query) const;
    /// No finding in memory has a lower id.
    [[nodiscard]] std::uint64_t first_id() const;
    /// The greatest that is used up; 0: none is.
    [[nodiscard]] std::uint64_t last_id() const { return last_id_; }

    [[nodiscard]] std::size_t unsaved() const { return unsaved_; }
    [[nodiscard]] std::uint64_t coalesced() const { return coalesced_; }
    [[nodiscard]] std::uint64_t lost() const { return lost_; }

private:
    using Key = std::tuple<Reason, std::string, Endpoint, std::string, std::uint32_t, std::uint32_t,
                           std::optional<bool>>;
    struct Entry {
        KeptFinding kept;
        std::chrono::steady_clock::time_point began;
        bool is_saved = false;
    };

    static Key key_of(const Finding& finding);
    Entry* find(std::uint64_t id);
    bool coalesce(const Key& key, const Now& now);
    void make_room();
    void mark_unsaved(Entry& entry);

    std::deque<Entry> entries_;         ///< by id
    std::map<Key, std::uint64_t> open_; ///< the newest of its kind in memory, by id
    std::uint64_t last_id_ = 0;
    std::size_t unsaved_ = 0;
    std::uint64_t coalesced_ = 0;
    std::uint64_t lost_ = 0;
};

} // namespace ballast::findings

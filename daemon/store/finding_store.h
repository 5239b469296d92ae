// SPDX-License-Identifier: Apache-2.0
// The history of findings, in a table of the store's file, over a connection of its own. Use it
// from one thread at a time.
// Invariants
// 1. The table holds at most `most_rows` rows once put() has returned, the newest.
// 2. No id up to ids_given() is given again: put() says ahead of time which ones may be.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "daemon/model/finding_query.h"
#include "daemon/model/snapshot.h"
#include "daemon/store/sqlite.h"
#include "daemon/util/error.h"

namespace ballast {

class FindingStore {
public:
    struct Bounds {
        std::chrono::hours age{30 * 24};
        std::size_t rows = 100'000;
    };

    /// `path` is a file that Store::open() has opened, which makes the table.
    static Result<FindingStore> open(const std::filesystem::path& path, const Bounds& bounds);

    /// Ids that may have been given are not above it.
    [[nodiscard]] Result<std::uint64_t> ids_given() const;

    /// Adds rows, or brings `last` and `coalesced` of those up to date that are there, and forgets
    /// what is too old at `now` or too much; all or nothing, one transaction. Ids up to `ids_until`
    /// may be given before the next put().
    Result<void> put(const std::vector<KeptFinding>& findings, std::uint64_t ids_until,
                     WallTime now);

    /// Of those whose ids are below `before`: what matches, and how many there are. Rows that
    /// cannot be understood are left out and counted.
    [[nodiscard]] Result<FindingPage> find(const FindingQuery& query, std::uint64_t before);

    [[nodiscard]] std::size_t rows() const { return rows_; }
    /// Times that a row was left out.
    [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }

private:
    FindingStore(std::filesystem::path path, Database database, const Bounds& bounds)
        : path_(std::move(path)), database_(std::move(database)), bounds_(bounds) {}

    [[nodiscard]] Error failed(std::string_view doing, const DatabaseError& error) const;
    DatabaseResult<void> count();
    DatabaseResult<void> upsert(const std::vector<KeptFinding>& findings) const;
    DatabaseResult<void> run(std::string_view sql, std::int64_t value) const;
    DatabaseResult<std::vector<KeptFinding>> select(const FindingQuery& query,
                                                    std::uint64_t before);

    std::filesystem::path path_;
    Database database_;
    Bounds bounds_;
    std::size_t rows_ = 0;
    std::uint64_t unreadable_ = 0;
};

} // namespace ballast

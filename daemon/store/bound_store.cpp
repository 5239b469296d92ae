// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/bound_store.h"

#include <array>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ballast {
namespace {

/// As for the store's other connections, whose pragmas for the file hold here too.
constexpr const char* kPrepareBounds = "PRAGMA busy_timeout = 500;"
                                       "PRAGMA cache_size = -64;"
                                       "PRAGMA synchronous = NORMAL;";

using Numbers = std::array<std::int64_t, 13>;
constexpr std::array<const char*, std::tuple_size_v<Numbers>> kColumns{
    "survived_ms",      "survived_age_ms",  "died_ms",      "died_age_ms", "held_back_ms",
    "held_back_age_ms", "last_drop_age_ms", "first_age_ms", "incidents",   "drops",
    "agreeing",         "contradicting",    "contested"};

Numbers numbers_of(const guards::IdleBoundState& state) {
    return {state.survived_ms,      state.survived_age_ms,
            state.died_ms,          state.died_age_ms,
            state.held_back_ms,     state.held_back_age_ms,
            state.last_drop_age_ms, state.first_age_ms,
            state.incidents,        state.drops,
            state.agreeing,         state.contradicting,
            state.contested};
}

guards::IdleBoundState state_of(const Numbers& n) {
    const auto count = [&](std::size_t i) { return static_cast<std::uint32_t>(n.at(i)); };
    return {.survived_ms = n[0],
            .survived_age_ms = n[1],
            .died_ms = n[2],
            .died_age_ms = n[3],
            .held_back_ms = n[4],
            .held_back_age_ms = n[5],
            .last_drop_age_ms = n[6],
            .first_age_ms = n[7],
            .incidents = count(8),
            .drops = count(9),
            .agreeing = count(10),
            .contradicting = count(11),
            .contested = count(12)};
}

/// No version: a later schema may drop it, what is known of a path is learned again.
std::string create_sql() {
    return fmt::format("CREATE TABLE IF NOT EXISTS idle_bounds (path TEXT PRIMARY KEY NOT NULL, "
                       "saved_at_ns INTEGER NOT NULL, {} INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
                       fmt::join(kColumns, " INTEGER NOT NULL, "));
}

DatabaseResult<void> done(Statement& statement) {
    if (const auto stepped = statement.step(); !stepped)
        return tl::unexpected(stepped.error());
    return {};
}

} // namespace

Result<BoundStore> BoundStore::open(const std::filesystem::path& path) {
    const auto failed = [&](const DatabaseError& error) {
        return fail(error.error().context(
            fmt::format("opening the store {} for idle bounds of paths", path.string())));
    };
    auto database = Database::open(path);
    if (!database)
        return failed(database.error());
    const auto ready =
        database->run(kPrepareBounds).and_then([&] { return database->run(create_sql().c_str()); });
    if (!ready)
        return failed(ready.error());
    return BoundStore(path, std::move(*database));
}

Result<std::vector<StoredBound>> BoundStore::bounds() const {
    const auto failed = [&](const Error& error) {
        return fail(error.context(fmt::format("reading idle bounds from {}", path_.string())));
    };
    auto statement = database_.prepare(
        fmt::format("SELECT path, saved_at_ns, {} FROM idle_bounds", fmt::join(kColumns, ", ")));
    if (!statement)
        return failed(statement.error().error());
    std::vector<StoredBound> out;
    for (;;) {
        const auto row = statement->step();
        if (!row)
            return failed(row.error().error());
        if (!*row)
            return out;
        const auto path = parse_path_key(statement->text(0));
        if (!path)
            return failed(path.error());
        Numbers numbers{};
        for (std::size_t i = 0; i < numbers.size(); ++i)
            numbers.at(i) = statement->integer(static_cast<int>(i) + 2);
        out.push_back(
            {*path, WallTime(std::chrono::nanoseconds(statement->integer(1))), state_of(numbers)});
    }
}

DatabaseResult<void> BoundStore::insert(const StoredBound& bound) const {
    std::string places;
    for (std::size_t i = 0; i < kColumns.size(); ++i)
        places += fmt::format(", ?{}", i + 3);
    auto statement =
        database_.prepare(fmt::format("INSERT OR REPLACE INTO idle_bounds (path, saved_at_ns, {}) "
                                      "VALUES (?1, ?2{})",
                                      fmt::join(kColumns, ", "), places));
    if (!statement)
        return tl::unexpected(statement.error());
    const auto saved =
        std::chrono::duration_cast<std::chrono::nanoseconds>(bound.saved.time_since_epoch());
    statement->bind(1, bound.path.text());
    statement->bind(2, saved.count());
    const Numbers numbers = numbers_of(bound.state);
    for (std::size_t i = 0; i < numbers.size(); ++i)
        statement->bind(static_cast<int>(i) + 3, numbers.at(i));
    return done(*statement);
}

DatabaseResult<void> BoundStore::remove(const PathKey& path) const {
    auto statement = database_.prepare("DELETE FROM idle_bounds WHERE path = ?1");
    if (!statement)
        return tl::unexpected(statement.error());
    statement->bind(1, path.text());
    return done(*statement);
}

Result<void> BoundStore::put(const std::vector<StoredBound>& bounds,
                             const std::vector<PathKey>& gone) {
    auto written = database_.run("BEGIN IMMEDIATE;");
    for (const auto& bound : bounds)
        written = written.and_then([&] { return insert(bound); });
    for (const auto& path : gone)
        written = written.and_then([&] { return remove(path); });
    written = written.and_then([&] { return database_.run("COMMIT;"); });
    if (written)
        return {};
    (void)database_.run("ROLLBACK;"); // without a transaction it only says so
    return fail(
        written.error().error().context(fmt::format("writing idle bounds to {}", path_.string())));
}

} // namespace ballast

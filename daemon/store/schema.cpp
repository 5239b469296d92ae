// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/schema.h"

#include <array>

#include "daemon/store/store.h"

namespace ballast {
namespace {

/// Set before anything is read. The cache is 256 KiB, the log is truncated to 1 MiB.
constexpr const char* kPragmas = "PRAGMA cache_size = -256;"
                                 "PRAGMA mmap_size = 0;"
                                 "PRAGMA synchronous = NORMAL;"
                                 "PRAGMA journal_size_limit = 1048576;"
                                 "PRAGMA wal_autocheckpoint = 64;";

constexpr int kBusyTimeoutMs = 500;

/// Times are nanoseconds since the epoch, words those of daemon/model/names.h.
/// The tables as they were in version 1; what has changed since follows, version by version, for
/// files that are there and new ones alike.
constexpr const char* kVersion1 = R"(
BEGIN IMMEDIATE;
CREATE TABLE overrides (
    target TEXT PRIMARY KEY NOT NULL,
    max_connections INTEGER CHECK (max_connections BETWEEN 1 AND 1000000),
    mode TEXT CHECK (mode IN ('off', 'observe', 'enforce')),
    on_limit TEXT CHECK (on_limit IN ('refused', 'again', 'unreachable')),
    set_by TEXT NOT NULL,
    set_at_ns INTEGER NOT NULL
) STRICT;
PRAGMA user_version = 1;
COMMIT;
)";

constexpr const char* kVersion2 = R"(
BEGIN IMMEDIATE;
ALTER TABLE overrides ADD COLUMN max_connections_total INTEGER
    CHECK (max_connections_total BETWEEN 1 AND 1000000);
ALTER TABLE overrides ADD COLUMN max_per_consumer INTEGER
    CHECK (max_per_consumer BETWEEN 1 AND 1000000);
ALTER TABLE overrides ADD COLUMN max_connect_rate INTEGER
    CHECK (max_connect_rate BETWEEN 1 AND 1000000);
ALTER TABLE overrides ADD COLUMN burst INTEGER CHECK (burst BETWEEN 1 AND 1000000);
ALTER TABLE overrides ADD COLUMN expires_at_ns INTEGER;
PRAGMA user_version = 2;
COMMIT;
)";

/// Words of findings are those of daemon/findings/reasons.h and daemon/model; addresses are 32
/// hexadecimal digits. Ids that were given and whose findings are gone are not given again.
constexpr const char* kVersion3 = R"(
BEGIN IMMEDIATE;
CREATE TABLE findings (
    id INTEGER PRIMARY KEY NOT NULL,
    at_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL,
    coalesced INTEGER NOT NULL,
    reason TEXT NOT NULL,
    kind TEXT,
    address TEXT,
    port INTEGER,
    service TEXT,
    netns INTEGER,
    tcp_state TEXT,
    pid INTEGER,
    comm TEXT,
    unit TEXT,
    acted INTEGER,
    evidence TEXT NOT NULL
) STRICT;
CREATE INDEX findings_by_last ON findings (last_ns);
CREATE TABLE finding_ids (given INTEGER NOT NULL) STRICT;
INSERT INTO finding_ids VALUES (0);
PRAGMA user_version = 3;
COMMIT;
)";

/// The step from version N is at N.
constexpr std::array<const char*, kStoreSchema> kSteps{kVersion1, kVersion2, kVersion3};
static_assert(kMaxConnections == 1'000'000 && kMaxConnectRate == 1'000'000, "the steps say so");

DatabaseError refusal(std::string message) {
    return {SQLITE_ERROR, std::move(message)};
}

/// Another process may hold the file for a moment, as `sqlite3` on the command line does; the event
/// loop that waits for it does nothing else meanwhile.
DatabaseResult<void> prepare_connection(const Database& database) {
    return database.run(fmt::format("PRAGMA busy_timeout = {};", kBusyTimeoutMs).c_str())
        .and_then([&] { return database.run(kPragmas); });
}

DatabaseResult<void> check_damage(const Database& database) {
    const auto verdict = database.value("PRAGMA quick_check(1)");
    if (!verdict)
        return tl::unexpected(verdict.error());
    if (*verdict != "ok")
        return tl::unexpected(DatabaseError{SQLITE_CORRUPT, "quick_check: " + *verdict});
    return {};
}

/// The version of the file's schema; 0: a new file, without one.
DatabaseResult<std::size_t> schema_of(const Database& database) {
    const auto version = database.value("PRAGMA user_version");
    if (!version)
        return tl::unexpected(version.error());
    for (std::size_t known = 1; known <= kStoreSchema; ++known)
        if (*version == std::to_string(known))
            return known;
    if (*version != "0")
        return tl::unexpected(refusal(fmt::format(
            "its schema is version {}, this version of Ballast knows version {}; start the newer "
            "version that wrote it, or move the file away",
            *version, kStoreSchema)));
    const auto tables = database.value("SELECT count(*) FROM sqlite_schema");
    if (!tables)
        return tl::unexpected(tables.error());
    if (*tables != "0")
        return tl::unexpected(
            refusal("it is a database that Ballast did not make; name another file"));
    return std::size_t{0};
}

/// A step that fails leaves the file as the step before left it: the connection is closed, which
/// rolls its transaction back.
DatabaseResult<void> bring_up(const Database& database, std::size_t version) {
    auto done = database.run("PRAGMA journal_mode = WAL;");
    for (; done && version < kSteps.size(); ++version)
        done = database.run(kSteps.at(version));
    return done;
}

} // namespace

DatabaseResult<Database> open_with_schema(const std::filesystem::path& path) {
    auto database = Database::open(path);
    if (!database)
        return database;
    const auto ready = prepare_connection(*database)
                           .and_then([&] { return check_damage(*database); })
                           .and_then([&] { return schema_of(*database); })
                           .and_then([&](auto version) { return bring_up(*database, version); });
    if (!ready)
        return tl::unexpected(ready.error());
    return database;
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/schema.h"

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
constexpr const char* kCreate = R"(
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
static_assert(kStoreSchema == 1 && kMaxConnections == 1'000'000, "kCreate says so");

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

/// True: a new file, without schema.
DatabaseResult<bool> is_new(const Database& database) {
    const auto version = database.value("PRAGMA user_version");
    if (!version)
        return tl::unexpected(version.error());
    if (*version == std::to_string(kStoreSchema))
        return false;
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
    return true;
}

DatabaseResult<void> bring_up(const Database& database, bool is_new_file) {
    const auto logged = database.run("PRAGMA journal_mode = WAL;");
    return logged && is_new_file ? database.run(kCreate) : logged;
}

} // namespace

DatabaseResult<Database> open_with_schema(const std::filesystem::path& path) {
    auto database = Database::open(path);
    if (!database)
        return database;
    const auto ready = prepare_connection(*database)
                           .and_then([&] { return check_damage(*database); })
                           .and_then([&] { return is_new(*database); })
                           .and_then([&](bool fresh) { return bring_up(*database, fresh); });
    if (!ready)
        return tl::unexpected(ready.error());
    return database;
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/store.h"

#include <chrono>
#include <optional>
#include <utility>

#include "daemon/model/names.h"
#include "daemon/store/schema.h"

namespace ballast {
namespace {

namespace fs = std::filesystem;
using std::chrono::nanoseconds;
using std::chrono::system_clock;

constexpr int kMaxCorruptFiles = 9;

constexpr std::string_view kSelect =
    "SELECT target, max_connections, mode, on_limit, set_by, set_at_ns, max_connections_total, "
    "max_per_consumer, max_connect_rate, burst, expires_at_ns FROM overrides "
    "ORDER BY set_at_ns, target";

/// Inserts nothing where the row would be new and the table is full.
constexpr std::string_view kPut =
    "INSERT OR REPLACE INTO overrides (target, max_connections, mode, on_limit, set_by, set_at_ns, "
    "max_connections_total, max_per_consumer, max_connect_rate, burst, expires_at_ns) "
    "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 "
    "WHERE EXISTS (SELECT 1 FROM overrides WHERE target = ?1) "
    "OR (SELECT count(*) FROM overrides) < ?12";

constexpr std::string_view kRemove = "DELETE FROM overrides WHERE target = ?1";

fs::path with_suffix(const fs::path& path, const std::string& suffix) {
    return path.native() + suffix;
}

/// The first free "PATH.corrupt-N", or the last of them.
fs::path aside_name(const fs::path& path) {
    std::error_code ignored; // a name that cannot be read fails in rename(), with its reason
    int n = 1;
    while (n < kMaxCorruptFiles &&
           fs::exists(with_suffix(path, fmt::format(".corrupt-{}", n)), ignored))
        ++n;
    return with_suffix(path, fmt::format(".corrupt-{}", n));
}

/// Renames the log first: left behind, it would be replayed into the new file.
Result<fs::path> move_aside(const fs::path& path) {
    const fs::path aside = aside_name(path);
    for (const char* part : {"-wal", "-shm", ""}) {
        std::error_code error;
        fs::rename(with_suffix(path, part), with_suffix(aside, part), error);
        if (error && error != std::errc::no_such_file_or_directory)
            return fail(Error::system(fmt::format("rename() of the damaged {}{} to {}{}",
                                                  path.string(), part, aside.string(), part),
                                      error.value()));
    }
    return aside;
}

std::optional<std::uint32_t> number(const Statement& row, int column) {
    return row.is_null(column) ? std::nullopt
                               : std::optional(static_cast<std::uint32_t>(row.integer(column)));
}

Override row_of(const Statement& row) {
    Override out;
    out.target = row.text(0);
    out.max_connections = number(row, 1);
    out.mode = parse_mode(row.text(2));
    out.on_limit = parse_on_limit(row.text(3));
    out.set_by = row.text(4);
    out.set_at = system_clock::time_point(nanoseconds(row.integer(5)));
    out.max_connections_total = number(row, 6);
    out.max_per_consumer = number(row, 7);
    out.max_connect_rate = number(row, 8);
    out.burst = number(row, 9);
    if (!row.is_null(10))
        out.expires_at = system_clock::time_point(nanoseconds(row.integer(10)));
    return out;
}

template <typename Enum>
void bind_word(Statement& statement, int parameter, const std::optional<Enum>& value) {
    if (value)
        statement.bind(parameter, name_of(*value));
    else
        statement.bind(parameter, std::optional<std::int64_t>());
}

std::int64_t nanoseconds_of(system_clock::time_point time) {
    return nanoseconds(time.time_since_epoch()).count();
}

void bind_row(Statement& statement, const Override& wanted) {
    using Number = std::optional<std::int64_t>;
    statement.bind(1, wanted.target);
    statement.bind(2, Number(wanted.max_connections));
    bind_word(statement, 3, wanted.mode);
    bind_word(statement, 4, wanted.on_limit);
    statement.bind(5, wanted.set_by);
    statement.bind(6, nanoseconds_of(wanted.set_at));
    statement.bind(7, Number(wanted.max_connections_total));
    statement.bind(8, Number(wanted.max_per_consumer));
    statement.bind(9, Number(wanted.max_connect_rate));
    statement.bind(10, Number(wanted.burst));
    statement.bind(11, wanted.expires_at ? Number(nanoseconds_of(*wanted.expires_at)) : Number());
    statement.bind(12, static_cast<std::int64_t>(kMaxOverrides));
}

} // namespace

Error Store::failed(std::string_view doing, const DatabaseError& error) const {
    return error.error().context(fmt::format("{} {}", doing, path_.string()));
}

Result<Store> Store::open(const fs::path& path) {
    const auto failed_to_open = [&](const DatabaseError& error) {
        return fail(error.error().context(fmt::format("opening the store {}", path.string())));
    };
    auto database = open_with_schema(path);
    std::string notice;
    if (!database && database.error().is_corruption()) {
        const auto aside = move_aside(path);
        if (!aside)
            return fail(aside.error());
        notice = fmt::format("the store {} was damaged ({}); it is now {}, and the overrides in it "
                             "are not in force",
                             path.string(), database.error().error().message(), aside->string());
        database = open_with_schema(path);
    }
    if (!database)
        return failed_to_open(database.error());
    Store store(path, std::move(*database));
    store.notice_ = std::move(notice);
    return store;
}

Result<std::vector<Override>> Store::overrides() const {
    auto statement = database_.prepare(kSelect);
    if (!statement)
        return fail(failed("reading overrides of", statement.error()));
    std::vector<Override> out;
    for (;;) {
        const auto row = statement->step();
        if (!row)
            return fail(failed("reading overrides of", row.error()));
        if (!*row)
            return out;
        out.push_back(row_of(*statement));
    }
}

Result<void> Store::put_override(const Override& wanted) {
    auto statement = database_.prepare(kPut);
    if (!statement)
        return fail(failed("writing an override to", statement.error()));
    bind_row(*statement, wanted);
    const auto done = statement->step();
    if (!done)
        return fail(failed("writing an override to", done.error()));
    if (database_.changes() == 0)
        return fail(Error(fmt::format("there are {} overrides already", kMaxOverrides))
                        .hint("unset one first: ballast limit unset"));
    return {};
}

Result<bool> Store::remove_override(std::string_view target) {
    auto statement = database_.prepare(kRemove);
    if (!statement)
        return fail(failed("removing an override from", statement.error()));
    statement->bind(1, target);
    const auto done = statement->step();
    if (!done)
        return fail(failed("removing an override from", done.error()));
    return database_.changes() > 0;
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/finding_store.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include <fmt/format.h>

namespace ballast {
namespace {

using std::chrono::nanoseconds;
using Integer = std::optional<std::int64_t>;

/// As for the store's other connections; the log of a busy day is brought in before it grows.
constexpr const char* kPrepareFindings = "PRAGMA busy_timeout = 500;"
                                         "PRAGMA cache_size = -256;"
                                         "PRAGMA synchronous = NORMAL;"
                                         "PRAGMA wal_autocheckpoint = 64;"
                                         "PRAGMA journal_size_limit = 1048576;";

constexpr std::string_view kFindingColumns =
    "id, at_ns, last_ns, coalesced, reason, kind, address, port, service, netns, tcp_state, pid, "
    "comm, unit, acted, evidence";

constexpr std::string_view kUpsert =
    "INSERT INTO findings ({}) VALUES "
    "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) "
    "ON CONFLICT (id) DO UPDATE SET last_ns = excluded.last_ns, coalesced = excluded.coalesced";

/// The same parameters, whether rows are counted or read.
constexpr std::string_view kMatching =
    "FROM findings WHERE id < ?1 AND id > ?2 AND last_ns >= ?3 AND (?4 IS NULL OR reason = ?4) "
    "AND (?5 IS NULL OR address BETWEEN ?5 AND ?6) AND (?7 IS NULL OR port = ?7)";

constexpr std::string_view kTooOld = "DELETE FROM findings WHERE last_ns < ?1";
constexpr std::string_view kTooMany =
    "DELETE FROM findings WHERE id IN (SELECT id FROM findings ORDER BY id LIMIT ?1)";
constexpr std::string_view kGive = "UPDATE finding_ids SET given = ?1";

std::int64_t since_epoch(WallTime time) {
    return std::chrono::duration_cast<nanoseconds>(time.time_since_epoch()).count();
}

WallTime time_of(std::int64_t since_epoch_ns) {
    return WallTime(std::chrono::duration_cast<WallTime::duration>(nanoseconds(since_epoch_ns)));
}

std::int64_t integer_of(std::uint64_t value) {
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    return value > static_cast<std::uint64_t>(most) ? most : static_cast<std::int64_t>(value);
}

/// 32 digits, so that a prefix is a range of texts.
std::string hex(const Address& address) {
    std::string text;
    for (const auto byte : address.bytes)
        text += fmt::format("{:02x}", byte);
    return text;
}

std::optional<Address> from_hex(const std::string& text) {
    Address address;
    if (text.size() != 2 * address.bytes.size() ||
        text.find_first_not_of("0123456789abcdef") != std::string::npos)
        return std::nullopt;
    for (std::size_t i = 0; i < address.bytes.size(); ++i)
        address.bytes.at(i) =
            static_cast<std::uint8_t>(std::stoul(text.substr(2 * i, 2), nullptr, 16));
    return address;
}

Address last_of(const Prefix& prefix) {
    Address last = prefix.address;
    for (std::size_t bit = prefix.length; bit < 8 * last.bytes.size(); ++bit)
        last.bytes.at(bit / 8) =
            static_cast<std::uint8_t>(last.bytes.at(bit / 8) | (0x80U >> (bit % 8)));
    return last;
}

void bind_text(Statement& statement, int parameter, const std::string& text) {
    if (text.empty())
        statement.bind(parameter, Integer());
    else
        statement.bind(parameter, std::string_view(text));
}

Integer nonzero(std::uint32_t value) {
    return value == 0 ? Integer() : Integer(value);
}

void bind_row(Statement& statement, const KeptFinding& row) {
    const Finding& what = row.what;
    const bool is_placed = what.destination.port != 0;
    statement.bind(1, Integer(integer_of(row.id)));
    statement.bind(2, Integer(since_epoch(row.at)));
    statement.bind(3, Integer(since_epoch(row.last)));
    statement.bind(4, Integer(integer_of(row.coalesced)));
    statement.bind(5, name_of(what.reason));
    bind_text(statement, 6, what.kind);
    bind_text(statement, 7, is_placed ? hex(what.destination.address) : "");
    statement.bind(8, nonzero(what.destination.port));
    bind_text(statement, 9, what.service);
    statement.bind(10, nonzero(what.netns));
    bind_text(statement, 11, what.tcp_state);
    statement.bind(12, nonzero(what.owner.pid));
    bind_text(statement, 13, what.owner.comm);
    bind_text(statement, 14, what.owner.unit);
    statement.bind(15, what.acted ? Integer(*what.acted ? 1 : 0) : Integer());
    statement.bind(16, std::string_view(what.evidence));
}

/// None for a row that put() did not write.
std::optional<KeptFinding> finding_of(const Statement& row) {
    const auto reason = findings::reason_named(row.text(4));
    const auto address = row.is_null(6) ? std::optional(Address()) : from_hex(row.text(6));
    if (!reason || !address)
        return std::nullopt;
    KeptFinding made;
    made.id = static_cast<std::uint64_t>(row.integer(0));
    made.at = time_of(row.integer(1));
    made.last = time_of(row.integer(2));
    made.coalesced = static_cast<std::uint64_t>(row.integer(3));
    made.what.reason = *reason;
    made.what.kind = row.text(5);
    made.what.destination = {*address, static_cast<std::uint16_t>(row.integer(7))};
    made.what.service = row.text(8);
    made.what.netns = static_cast<std::uint32_t>(row.integer(9));
    made.what.tcp_state = row.text(10);
    made.what.owner = {static_cast<std::uint32_t>(row.integer(11)), row.text(12), row.text(13)};
    if (!row.is_null(14))
        made.what.acted = row.integer(14) != 0;
    made.what.evidence = row.text(15);
    return made;
}

void bind_query(Statement& statement, const FindingQuery& query, std::uint64_t before) {
    constexpr auto earliest = std::numeric_limits<std::int64_t>::min();
    statement.bind(1, Integer(integer_of(before)));
    statement.bind(2, Integer(integer_of(query.after.value_or(0))));
    statement.bind(3, Integer(query.since ? since_epoch(*query.since) : earliest));
    bind_text(statement, 4, query.reason ? std::string(name_of(*query.reason)) : "");
    bind_text(statement, 5, query.destination ? hex(query.destination->address) : "");
    bind_text(statement, 6, query.destination ? hex(last_of(*query.destination)) : "");
    statement.bind(7, query.port ? Integer(*query.port) : Integer());
}

} // namespace

Error FindingStore::failed(std::string_view doing, const DatabaseError& error) const {
    return error.error().context(fmt::format("{} {}", doing, path_.string()));
}

Result<FindingStore> FindingStore::open(const std::filesystem::path& path, const Bounds& bounds) {
    const auto failed_to_open = [&](const DatabaseError& error) {
        return fail(
            error.error().context(fmt::format("opening the store {} for findings", path.string())));
    };
    auto database = Database::open(path);
    if (!database)
        return failed_to_open(database.error());
    FindingStore store(path, std::move(*database), bounds);
    const auto ready =
        store.database_.run(kPrepareFindings).and_then([&] { return store.count(); });
    if (!ready)
        return failed_to_open(ready.error());
    return store;
}

DatabaseResult<void> FindingStore::count() {
    const auto rows = database_.value("SELECT count(*) FROM findings");
    if (!rows)
        return tl::unexpected(rows.error());
    rows_ = std::stoull(*rows);
    return {};
}

Result<std::uint64_t> FindingStore::ids_given() const {
    const auto given = database_.value(
        "SELECT max((SELECT given FROM finding_ids), (SELECT ifnull(max(id), 0) FROM findings))");
    if (!given)
        return fail(failed("reading findings of", given.error()));
    return std::stoull(*given);
}

DatabaseResult<void> FindingStore::run(std::string_view sql, std::int64_t value) const {
    auto statement = database_.prepare(sql);
    if (!statement)
        return tl::unexpected(statement.error());
    statement->bind(1, Integer(value));
    if (const auto done = statement->step(); !done)
        return tl::unexpected(done.error());
    return {};
}

DatabaseResult<void> FindingStore::upsert(const std::vector<KeptFinding>& findings) const {
    auto statement = database_.prepare(fmt::format(fmt::runtime(kUpsert), kFindingColumns));
    if (!statement)
        return tl::unexpected(statement.error());
    for (const KeptFinding& one : findings) {
        bind_row(*statement, one);
        if (const auto done = statement->step(); !done)
            return tl::unexpected(done.error());
        statement->reset();
    }
    return {};
}

/// Counted within the transaction: a row that is brought up to date is none more.
Result<void> FindingStore::put(const std::vector<KeptFinding>& findings, std::uint64_t ids_until,
                               WallTime now) {
    const auto before = rows_;
    auto done = database_.run("BEGIN IMMEDIATE;")
                    .and_then([&] { return upsert(findings); })
                    .and_then([&] { return run(kTooOld, since_epoch(now - bounds_.age)); })
                    .and_then([&] { return run(kGive, integer_of(ids_until)); })
                    .and_then([&] { return count(); });
    if (done && rows_ > bounds_.rows) {
        done = run(kTooMany, integer_of(rows_ - bounds_.rows));
        rows_ = bounds_.rows;
    }
    done = done.and_then([&] { return database_.run("COMMIT;"); });
    if (done)
        return {};
    rows_ = before;
    (void)database_.run("ROLLBACK;"); // without a transaction it only says so
    return fail(failed("writing findings to", done.error()));
}

DatabaseResult<std::vector<KeptFinding>> FindingStore::select(const FindingQuery& query,
                                                              std::uint64_t before) {
    auto statement =
        database_.prepare(fmt::format("SELECT {} {} ORDER BY id {} LIMIT ?8", kFindingColumns,
                                      kMatching, query.after ? "ASC" : "DESC"));
    if (!statement)
        return tl::unexpected(statement.error());
    bind_query(*statement, query, before);
    statement->bind(8, Integer(integer_of(query.limit)));
    std::vector<KeptFinding> rows;
    for (;;) {
        const auto row = statement->step();
        if (!row)
            return tl::unexpected(row.error());
        if (!*row)
            break;
        if (auto one = finding_of(*statement))
            rows.push_back(std::move(*one));
        else
            ++unreadable_;
    }
    if (!query.after)
        std::ranges::reverse(rows);
    return rows;
}

Result<FindingPage> FindingStore::find(const FindingQuery& query, std::uint64_t before) {
    auto counted = database_.prepare(fmt::format("SELECT count(*) {}", kMatching));
    if (!counted)
        return fail(failed("reading findings of", counted.error()));
    bind_query(*counted, query, before);
    if (const auto row = counted->step(); !row)
        return fail(failed("reading findings of", row.error()));
    FindingPage page;
    page.total = static_cast<std::size_t>(counted->integer(0));
    auto rows = select(query, before);
    if (!rows)
        return fail(failed("reading findings of", rows.error()));
    page.rows = std::move(*rows);
    return page;
}

} // namespace ballast

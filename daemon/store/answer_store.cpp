// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/answer_store.h"

#include <algorithm>
#include <map>
#include <utility>

#include "daemon/util/quote.h"

namespace ballast {
namespace {

/// As for the store's other connection, whose pragmas for the file hold here too.
constexpr const char* kPrepareAnswers = "PRAGMA busy_timeout = 500;"
                                        "PRAGMA cache_size = -64;"
                                        "PRAGMA synchronous = NORMAL;";

/// No version: a later schema may drop it, nobody needs more than a new answer.
constexpr const char* kCreate = "CREATE TABLE IF NOT EXISTS name_answers ("
                                "name TEXT NOT NULL, address TEXT NOT NULL, "
                                "PRIMARY KEY (name, address)) STRICT, WITHOUT ROWID;";

constexpr std::string_view kSelectAnswers = "SELECT name, address FROM name_answers";
constexpr std::string_view kNames = "SELECT DISTINCT name FROM name_answers";
constexpr std::string_view kInsert = "INSERT INTO name_answers (name, address) VALUES (?1, ?2)";
constexpr std::string_view kRemoveAnswers = "DELETE FROM name_answers WHERE name = ?1";

/// Every row of a query of up to two columns of text.
DatabaseResult<std::vector<std::pair<std::string, std::string>>> rows(const Database& database,
                                                                      std::string_view sql) {
    std::vector<std::pair<std::string, std::string>> out;
    auto statement = database.prepare(sql);
    if (!statement)
        return tl::unexpected(statement.error());
    for (;;) {
        const auto row = statement->step();
        if (!row)
            return tl::unexpected(row.error());
        if (!*row)
            return out;
        out.emplace_back(statement->text(0), statement->text(1));
    }
}

} // namespace

Error AnswerStore::failed(std::string_view doing, const DatabaseError& error) const {
    return error.error().context(fmt::format("{} {}", doing, path_.string()));
}

DatabaseResult<void> AnswerStore::run(std::string_view sql,
                                      const std::vector<std::string>& texts) const {
    auto statement = database_.prepare(sql);
    if (!statement)
        return tl::unexpected(statement.error());
    for (std::size_t i = 0; i < texts.size(); ++i)
        statement->bind(static_cast<int>(i + 1), texts[i]);
    if (const auto done = statement->step(); !done)
        return tl::unexpected(done.error());
    return {};
}

/// The end of a transaction.
Result<void> AnswerStore::change(std::string_view doing,
                                 const DatabaseResult<void>& changed) const {
    const auto done = changed.and_then([&] { return database_.run("COMMIT;"); });
    if (done)
        return {};
    (void)database_.run("ROLLBACK;"); // without a transaction it only says so
    return fail(failed(doing, done.error()));
}

Result<AnswerStore> AnswerStore::open(const std::filesystem::path& path) {
    const auto failed_to_open = [&](const DatabaseError& error) {
        return fail(error.error().context(
            fmt::format("opening the store {} for answers of DNS names", path.string())));
    };
    auto database = Database::open(path);
    if (!database)
        return failed_to_open(database.error());
    const auto ready =
        database->run(kPrepareAnswers).and_then([&] { return database->run(kCreate); });
    if (!ready)
        return failed_to_open(ready.error());
    return AnswerStore(path, std::move(*database));
}

Result<Answers> AnswerStore::answers() const {
    const auto stored = rows(database_, kSelectAnswers);
    if (!stored)
        return fail(failed("reading answers of DNS names from", stored.error()));
    std::map<std::string, std::vector<Address>> addresses;
    for (const auto& [host, text] : *stored) {
        const auto address = parse_address(text);
        if (!address)
            return fail(address.error().context(fmt::format("reading the answer for {} from {}",
                                                            in_quotes(std::string_view(host)),
                                                            path_.string())));
        addresses[host].push_back(*address);
    }
    Answers out;
    for (auto& [host, all] : addresses)
        out.emplace(host, answer_of(std::move(all)));
    return out;
}

Result<void> AnswerStore::put(const std::string& host, const Answer& answer) {
    auto done =
        database_.run("BEGIN IMMEDIATE;").and_then([&] { return run(kRemoveAnswers, {host}); });
    for (const Address& address : answer.addresses)
        done = done.and_then([&] { return run(kInsert, {host, address.text()}); });
    return change("writing an answer of DNS to", done);
}

Result<void> AnswerStore::keep_only(const std::vector<std::string>& hosts) {
    const auto stored = rows(database_, kNames);
    if (!stored)
        return fail(failed("reading names from", stored.error()));
    auto done = database_.run("BEGIN IMMEDIATE;");
    for (const auto& [host, none] : *stored)
        if (std::ranges::find(hosts, host) == hosts.end())
            done = done.and_then([&, &name = host] { return run(kRemoveAnswers, {name}); });
    return change("removing names from", done);
}

} // namespace ballast

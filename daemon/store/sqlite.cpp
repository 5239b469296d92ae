// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/sqlite.h"

#include <utility>

namespace ballast {
namespace {

DatabaseError failure(std::string_view tried, sqlite3* handle, int code) {
    const char* said = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
    return {code, fmt::format("{}: {}", tried, said)};
}

} // namespace

bool DatabaseError::is_corruption() const {
    const int primary = code_ & 0xff;
    return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
}

void Statement::bind(int parameter, std::string_view text) {
    sqlite3_bind_text64(statement_.get(), parameter, text.data(), text.size(), SQLITE_TRANSIENT,
                        SQLITE_UTF8);
}

void Statement::bind(int parameter, std::optional<std::int64_t> value) {
    if (value)
        sqlite3_bind_int64(statement_.get(), parameter, *value);
    else
        sqlite3_bind_null(statement_.get(), parameter);
}

DatabaseResult<bool> Statement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return code == SQLITE_ROW;
    return tl::unexpected(
        failure(sqlite3_sql(statement_.get()), sqlite3_db_handle(statement_.get()), code));
}

std::string Statement::text(int column) const {
    const auto* text = sqlite3_column_text(statement_.get(), column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
    return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text), size);
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

DatabaseResult<Database> Database::open(const std::filesystem::path& path) {
    sqlite3* handle = nullptr;
    constexpr int kFlags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2(path.c_str(), &handle, kFlags, nullptr);
    Database database(handle); // SQLite wants even a handle that failed to open closed
    if (code != SQLITE_OK)
        return tl::unexpected(failure("open", handle, code));
    return database;
}

DatabaseResult<Statement> Database::prepare(std::string_view sql) const {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                        &statement, nullptr);
    if (code != SQLITE_OK)
        return tl::unexpected(failure(sql, handle_.get(), code));
    return Statement(statement);
}

DatabaseResult<void> Database::run(const char* sql) const {
    const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK)
        return tl::unexpected(failure(sql, handle_.get(), code));
    return {};
}

DatabaseResult<std::string> Database::value(std::string_view sql) const {
    auto statement = prepare(sql);
    if (!statement)
        return tl::unexpected(statement.error());
    const auto row = statement->step();
    if (!row)
        return tl::unexpected(row.error());
    return *row ? statement->text(0) : std::string();
}

} // namespace ballast

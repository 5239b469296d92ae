// SPDX-License-Identifier: Apache-2.0
// The little of SQLite's C interface that the store needs, owned by RAII. One thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sqlite3.h>

#include "daemon/util/error.h"

namespace ballast {

/// A failure of SQLite; is_corruption() separates a damaged file from all others.
class [[nodiscard]] DatabaseError {
public:
    DatabaseError(int code, std::string message) : code_(code), message_(std::move(message)) {}

    /// True for a file that is damaged or was never a database (SQLITE_CORRUPT, SQLITE_NOTADB).
    [[nodiscard]] bool is_corruption() const;
    [[nodiscard]] Error error() const { return Error(message_); }

private:
    int code_;
    std::string message_;
};

template <typename T>
using DatabaseResult = tl::expected<T, DatabaseError>;

/// A prepared statement. Bound text is copied.
class Statement {
public:
    explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

    /// Parameters and columns count from 1 and 0, as SQLite counts them.
    void bind(int parameter, std::string_view text);
    void bind(int parameter, std::optional<std::int64_t> value);

    /// Ready for other values after the last row.
    void reset() { sqlite3_reset(statement_.get()); }

    /// True: there is a row; false: done.
    DatabaseResult<bool> step();

    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] bool is_null(int column) const;

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
public:
    /// Opens or creates; the directory must exist.
    static DatabaseResult<Database> open(const std::filesystem::path& path);

    /// `sql` is one statement.
    DatabaseResult<Statement> prepare(std::string_view sql) const;

    /// Any number of statements, without parameters or rows.
    DatabaseResult<void> run(const char* sql) const;

    /// First column of the first row.
    DatabaseResult<std::string> value(std::string_view sql) const;

    /// Rows that the last INSERT, UPDATE or DELETE touched.
    [[nodiscard]] int changes() const { return sqlite3_changes(handle_.get()); }

private:
    struct Close {
        void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
    };
    explicit Database(sqlite3* handle) : handle_(handle) {}

    std::unique_ptr<sqlite3, Close> handle_;
};

} // namespace ballast

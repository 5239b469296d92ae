// SPDX-License-Identifier: Apache-2.0
// The last good answers of DNS names, which outlive a restart: a table of its own in the store's
// file, over a connection of its own. Use it from one thread at a time.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "daemon/model/answers.h"
#include "daemon/store/sqlite.h"
#include "daemon/util/error.h"

namespace ballast {

class AnswerStore {
public:
    /// Adds the table where there is none. `path` is a file that Store::open() has opened, which
    /// deals with damage and with other schemas.
    static Result<AnswerStore> open(const std::filesystem::path& path);

    /// All of them. An error where a row is none that put() wrote.
    [[nodiscard]] Result<Answers> answers() const;

    /// Replaces what is kept of the name; how many were left out is not kept.
    Result<void> put(const std::string& host, const Answer& answer);

    /// Forgets all other names.
    Result<void> keep_only(const std::vector<std::string>& hosts);

private:
    AnswerStore(std::filesystem::path path, Database database)
        : path_(std::move(path)), database_(std::move(database)) {}

    [[nodiscard]] Error failed(std::string_view doing, const DatabaseError& error) const;
    DatabaseResult<void> run(std::string_view sql, const std::vector<std::string>& texts) const;
    Result<void> change(std::string_view doing, const DatabaseResult<void>& changed) const;

    std::filesystem::path path_;
    Database database_;
};

} // namespace ballast

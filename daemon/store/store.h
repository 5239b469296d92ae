// SPDX-License-Identifier: Apache-2.0
// State that outlives a restart, in one SQLite file. Use it from one thread at a time.
// Invariants
// 1. A row is written wholly or not at all, and is on disk when put or remove returns but for what
//    the last moments before a power cut wrote (WAL, synchronous=NORMAL: never a damaged file).
// 2. PRAGMA user_version is the schema's version; an older one is brought up to date, rows kept; a
//    newer one is refused, never altered.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/model/override.h"
#include "daemon/store/sqlite.h"
#include "daemon/util/error.h"

namespace ballast {

inline constexpr std::size_t kStoreSchema = 3;

/// As many overrides as a policy can hold services.
inline constexpr std::size_t kMaxOverrides = kMaxServices;

class Store {
public:
    /// Opens or creates the file; its directory must exist. A damaged file is renamed to
    /// "PATH.corrupt-N" (N 1..9, the last one is overwritten) and a new one begun, see notice().
    /// Errors: the directory or file cannot be used, the schema is newer, the file is another
    /// application's.
    static Result<Store> open(const std::filesystem::path& path);

    /// Notice for the operator of what open() had to do; empty when all was well.
    [[nodiscard]] const std::string& notice() const { return notice_; }

    /// All overrides, oldest first.
    [[nodiscard]] Result<std::vector<Override>> overrides() const;

    /// Adds the override, or replaces the one with the same target as a whole. At most
    /// kMaxOverrides are kept; a limit out of range is an error too.
    Result<void> put_override(const Override& wanted);

    /// False: there was none with that target.
    Result<bool> remove_override(std::string_view target);

private:
    Store(std::filesystem::path path, Database database)
        : path_(std::move(path)), database_(std::move(database)) {}

    [[nodiscard]] Error failed(std::string_view doing, const DatabaseError& error) const;

    std::filesystem::path path_;
    Database database_;
    std::string notice_;
};

} // namespace ballast

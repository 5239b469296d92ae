// SPDX-License-Identifier: Apache-2.0
// Learned idle bounds, which outlive a restart: a table of its own in the store's file, over a
// connection of its own. Use it from one thread at a time.
#pragma once

#include <filesystem>
#include <vector>

#include "daemon/guards/keepalive/idle_bound.h"
#include "daemon/model/path_key.h"
#include "daemon/model/snapshot.h"
#include "daemon/store/sqlite.h"
#include "daemon/util/error.h"

namespace ballast {

/// The known times of a path, with ages as of `saved`.
struct StoredBound {
    PathKey path;
    WallTime saved;
    guards::IdleBoundState state;
    bool operator==(const StoredBound&) const = default;
};

class BoundStore {
public:
    /// Adds the table where there is none. `path` is a file that Store::open() has opened, which
    /// deals with damage and with other schemas.
    static Result<BoundStore> open(const std::filesystem::path& path);

    /// All of them; whether a state is one that an IdleBound has is for its restore() to say.
    [[nodiscard]] Result<std::vector<StoredBound>> bounds() const;

    /// Replaces what is kept of these paths and forgets those others, all or nothing.
    Result<void> put(const std::vector<StoredBound>& bounds, const std::vector<PathKey>& gone);

private:
    BoundStore(std::filesystem::path path, Database database)
        : path_(std::move(path)), database_(std::move(database)) {}

    DatabaseResult<void> insert(const StoredBound& bound) const;
    DatabaseResult<void> remove(const PathKey& path) const;

    std::filesystem::path path_;
    Database database_;
};

} // namespace ballast

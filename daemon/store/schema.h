// SPDX-License-Identifier: Apache-2.0
// Brings a database file to the schema that this version of Ballast works with.
#pragma once

#include <filesystem>

#include "daemon/store/sqlite.h"

namespace ballast {

/// Opens `path`, sets the pragmas, checks the file for damage, creates the tables of a new file and
/// brings those of an older version up to date, in one transaction for each version.
/// A file whose user_version is newer, or that belongs to another application, is an error that is
/// no corruption.
DatabaseResult<Database> open_with_schema(const std::filesystem::path& path);

} // namespace ballast

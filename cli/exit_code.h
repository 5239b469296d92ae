// SPDX-License-Identifier: Apache-2.0
// Exit codes of `ballast` (docs/cli.md), and the failure that carries one.
#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

#include "daemon/util/error.h"

namespace ballast::cli {

enum ExitCode : int {
    exit_ok = 0,
    exit_failed = 1,
    exit_usage = 2,
    exit_unreachable = 3,     ///< the daemon does not answer
    exit_not_found = 4,       ///< what was named does not exist
    exit_missing_feature = 5, ///< `check`: the kernel lacks something required
    exit_interrupted = 130,   ///< `discover`: by Ctrl-C; what was known by then is printed
};

struct Failure {
    ExitCode exit_code = exit_failed;
    Error error;
};

template <typename T>
using Outcome = tl::expected<T, Failure>;

inline tl::unexpected<Failure> fail_with(ExitCode exit_code, Error error) {
    return tl::unexpected<Failure>({exit_code, std::move(error)});
}

} // namespace ballast::cli

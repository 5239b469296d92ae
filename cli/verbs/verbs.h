// SPDX-License-Identifier: Apache-2.0
// The verbs of `ballast`, one a file. Each adds its subcommand to the parser; when it is the one
// that was given, it does its work and leaves its exit code in the Call.
#pragma once

#include <cstddef>
#include <string>

#include <CLI/CLI.hpp>

#include "cli/exit_code.h"
#include "cli/table.h"

namespace ballast::cli {

/// What holds for every verb.
struct Call {
    std::string runtime_dir;
    std::string bpffs;
    std::string cgroup; ///< empty: the root of the hierarchy
    bool json = false;
    int exit_code = exit_ok;
};

constexpr std::size_t kDefaultLimit = 100;
constexpr std::size_t kMaxLimit = 10'000;

void add_status(CLI::App& app, Call& call);
void add_health(CLI::App& app, Call& call);
void add_flows(CLI::App& app, Call& call);
void add_limit_set(CLI::App& limit, Call& call);
void add_limit_unset(CLI::App& limit, Call& call);
void add_limit_list(CLI::App& limit, Call& call);
void add_limit_explain(CLI::App& limit, Call& call);
void add_breaker_list(CLI::App& breaker, Call& call);
void add_breaker_open(CLI::App& breaker, Call& call);
void add_breaker_close(CLI::App& breaker, Call& call);
void add_breaker_auto(CLI::App& breaker, Call& call);
void add_discover(CLI::App& app, Call& call);
void add_check(CLI::App& app, Call& call);
void add_arm(CLI::App& app, Call& call);
void add_disarm(CLI::App& app, Call& call);
void add_unload(CLI::App& app, Call& call);
void add_reload(CLI::App& app, Call& call);

/// `--limit N` of the verbs that list.
void add_list_limit(CLI::App& verb, std::size_t& limit);

/// The parameter that `what` is for: "dest" if it reads as an endpoint, address or prefix, else
/// "service".
std::string parameter_for(const std::string& what);

/// Prints the table as the call and the terminal want it; the exit code of success.
int show(const Call& call, const Table& table);

/// Says on standard error what went wrong and what to do; the failure's exit code.
int report(const Failure& failure);

/// arm and disarm: writes the pinned kill switch, with the daemon dead or alive.
int switch_guards(const Call& call, bool armed);

} // namespace ballast::cli

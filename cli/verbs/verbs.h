// SPDX-License-Identifier: Apache-2.0
// The verbs of `ballast`, one a file. Each is a row: its name, what it is for, its parameters and
// the function that does it. cli/verbs/table.cpp has the list.
#pragma once

#include "daemon/util/command_line.h"

namespace ballast::cli {

/// The whole command: every verb, and the options that all of them take.
const Program& program();

/// Parses, runs a verb and reports what it could not do; the exit code.
int run(int argc, char** argv);

Command status_verb();
Command health_verb();
Command flows_verb();
Command ports_verb();
Command listeners_verb();
Command events_verb();
Command limit_set_verb();
Command limit_unset_verb();
Command limit_list_verb();
Command limit_explain_verb();
Command breaker_list_verb();
Command breaker_open_verb();
Command breaker_close_verb();
Command breaker_auto_verb();
Command discover_verb();
Command check_verb();
Command arm_verb();
Command disarm_verb();
Command reload_verb();
Command unload_verb();
/// Hidden: what the shells' completions ask for.
Command complete_verb();

} // namespace ballast::cli

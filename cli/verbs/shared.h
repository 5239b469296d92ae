// SPDX-License-Identifier: Apache-2.0
// Shared by the verbs: parameters, the connection to the daemon, output.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "cli/client.h"
#include "cli/exit_code.h"
#include "cli/table.h"
#include "daemon/util/command_line.h"
#include "daemon/util/duration.h"

namespace ballast::cli {

/// `--limit N` of the verbs that list.
Parameter limit_parameter();
/// The same for the API.
Client::Query limit_query(const Arguments& args);

/// An optional endpoint, address, prefix or service name that a list is narrowed to.
Parameter what_parameter(const std::string& name);
/// limit_query() and, where something was given under that name, the filter it stands for.
Client::Query what_query(const Arguments& args, const std::string& name);

/// A required ADDRESS:PORT.
Parameter destination_parameter(const std::string& name, const std::string& help);

/// `--for TIME`.
Parameter lasts_parameter(const std::string& until);
/// Its value in milliseconds, 0 where it was not given.
Outcome<std::int64_t> lasts_ms(const Arguments& args, const DurationRange& range);

/// The daemon whose sockets are where the arguments say.
Client client_of(const Arguments& args);

/// Prints the table as the arguments and the terminal want it; the exit code of success.
int show(const Arguments& args, const Table& table);

/// Says on standard error what went wrong and what to do; the failure's exit code.
int report(const Failure& failure);

/// Shows what `view` makes of the document, or reports why there is none.
template <typename View>
int show_or_report(const Arguments& args, const Outcome<Json>& document, View view) {
    return document ? show(args, view(*document)) : report(document.error());
}

/// The same for a list that was narrowed to `what`: where that leaves nothing, it was not found.
template <typename View>
int show_narrowed(const Arguments& args, const Outcome<Json>& document, const std::string& what,
                  View view) {
    const int shown =
        show_or_report(args, document, [&](const Json& found) { return view(found, what); });
    const bool missing = document && !what.empty() && document->at("total") == 0;
    return shown == exit_ok && missing ? exit_not_found : shown;
}

/// arm and disarm: writes the pinned kill switch, with the daemon dead or alive.
int switch_guards(const Arguments& args, bool armed);

} // namespace ballast::cli

// SPDX-License-Identifier: Apache-2.0
// Backend of the shell completions: names, one per line. Prints nothing where there is no answer:
// a user who presses TAB wants no error message.
#include <cstdio>
#include <set>

#include "cli/human.h"
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"

namespace ballast::cli {
namespace {

const Client::Query kMost{{"limit", "1000"}};

/// A member of each row of a list.
void add_members(std::set<std::string>& into, const Outcome<Json>& document, const char* rows,
                 const char* member) {
    if (!document)
        return;
    for (const Json& row : document->at(rows))
        if (row.contains(member) && row.at(member).is_string())
            into.insert(row.at(member).get<std::string>());
}

int run_complete(const Arguments& args) {
    const std::string kind = args.text("KIND");
    const Client client = client_of(args);
    std::set<std::string> names;
    if (kind != "destinations")
        add_members(names, client.get("/v1/limits", kMost), "limits", "service");
    if (kind != "services")
        add_members(names, client.get("/v1/health", kMost), "destinations", "endpoint");
    for (const std::string& name : names)
        fmt::print("{}\n", harmless(name));
    return exit_ok;
}

} // namespace

Command complete_verb() {
    return {.name = "complete",
            .summary = "Names for the shells' completions, one a line",
            .parameters = {{.name = "KIND",
                            .help = "What to list",
                            .takes = Takes::word,
                            .words = {"services", "destinations", "targets"},
                            .is_required = true}},
            .run = run_complete,
            .is_hidden = true};
}

} // namespace ballast::cli

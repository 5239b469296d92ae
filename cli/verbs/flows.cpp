// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

/// "dest=10.0.0.5" as a parameter; which there are, and their values, is the daemon's to judge.
Outcome<Client::Query> filter_query(const Arguments& args) {
    Client::Query query = limit_query(args);
    for (const std::string& filter : args.texts("FILTER")) {
        const std::size_t equals = filter.find('=');
        if (equals == std::string::npos || equals == 0)
            return fail_with(exit_usage, Error(fmt::format("'{}' is not KEY=VALUE", filter))
                                             .hint("keys: dest, local, service, state, direction"));
        query.emplace_back(filter.substr(0, equals), filter.substr(equals + 1));
    }
    return query;
}

/// Current sockets for a caller that may have them read (control.sock is root's), otherwise those
/// seen last; the footer gives their age.
int run_flows(const Arguments& args) {
    const auto document = filter_query(args).and_then([&](const Client::Query& query) {
        (void)client_of(args).write("POST", "/v1/sweep");
        return client_of(args).get("/v1/flows", query);
    });
    return show_or_report(args, document, flows_view);
}

} // namespace

Command flows_verb() {
    return {
        .name = "flows",
        .summary = "TCP sockets, those in trouble first",
        .parameters = {{.name = "FILTER",
                        .help = "KEY=VALUE with KEY one of dest, local, service, state, direction",
                        .takes = Takes::texts,
                        .completes = Completes::filters},
                       limit_parameter()},
        .run = run_flows};
}

} // namespace ballast::cli

// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <vector>

#include "cli/client.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

struct Args {
    std::vector<std::string> filters;
    std::size_t limit = kDefaultLimit;
};

/// "dest=10.0.0.5" as a parameter; which there are, and their values, is the daemon's to judge.
Outcome<Client::Query> parse_filters(const Args& args) {
    Client::Query query{{"limit", std::to_string(args.limit)}};
    for (const std::string& filter : args.filters) {
        const std::size_t equals = filter.find('=');
        if (equals == std::string::npos || equals == 0)
            return fail_with(exit_usage, Error(fmt::format("'{}' is not KEY=VALUE", filter))
                                             .hint("keys: dest, local, service, state, direction"));
        query.emplace_back(filter.substr(0, equals), filter.substr(equals + 1));
    }
    return query;
}

int run(const Call& call, const Args& args) {
    const auto document = parse_filters(args).and_then([&](const Client::Query& query) {
        return Client(call.runtime_dir).get("/v1/flows", query);
    });
    return document ? show(call, flows_view(*document)) : report(document.error());
}

} // namespace

void add_flows(CLI::App& app, Call& call) {
    auto args = std::make_shared<Args>();
    auto* verb = app.add_subcommand("flows", "TCP sockets, those in trouble first");
    verb->add_option("FILTER", args->filters,
                     "KEY=VALUE with KEY one of dest, local, service, state, direction");
    add_list_limit(*verb, args->limit);
    verb->callback([&call, args] { call.exit_code = run(call, *args); });
}

} // namespace ballast::cli

// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/client.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

struct Args {
    std::string what;
    std::size_t limit = kDefaultLimit;
};

int run(const Call& call, const Args& args) {
    Client::Query query{{"limit", std::to_string(args.limit)}};
    if (!args.what.empty())
        query.emplace_back(parameter_for(args.what), args.what);
    const auto document = Client(call.runtime_dir).get("/v1/health", query);
    if (!document)
        return report(document.error());
    const int shown = show(call, health_view(*document, args.what));
    const bool missing = !args.what.empty() && document->at("total") == 0;
    return shown == exit_ok && missing ? exit_not_found : shown;
}

} // namespace

void add_health(CLI::App& app, Call& call) {
    auto args = std::make_shared<Args>();
    auto* verb = app.add_subcommand("health", "Destinations, worst first");
    verb->add_option("WHAT", args->what,
                     "An endpoint (10.0.0.5:5432), address, prefix, or service name");
    add_list_limit(*verb, args->limit);
    verb->callback([&call, args] { call.exit_code = run(call, *args); });
}

} // namespace ballast::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {

Command listeners_verb() {
    return {
        .name = "listeners",
        .summary = "Listening sockets and what waits at them, those in trouble first",
        .parameters = {{.name = "LOCAL", .help = "An endpoint (10.0.0.5:5432), address or prefix"},
                       limit_parameter()},
        .run = [](const Arguments& args) {
            Client::Query query = limit_query(args);
            if (args.has("LOCAL"))
                query.emplace_back("local", args.text("LOCAL"));
            return show_narrowed(args, client_of(args).get("/v1/listeners", query),
                                 args.text("LOCAL"), listeners_view);
        }};
}

} // namespace ballast::cli

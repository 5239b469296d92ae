// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {

Command ports_verb() {
    return {.name = "ports",
            .summary = "Local ports of each source and destination, those that run out first",
            .parameters = {{.name = "DEST",
                            .help = "An endpoint (10.0.0.5:5432), address or prefix",
                            .completes = Completes::destinations},
                           limit_parameter()},
            .run = [](const Arguments& args) {
                Client::Query query = limit_query(args);
                if (args.has("DEST"))
                    query.emplace_back("dest", args.text("DEST"));
                return show_narrowed(args, client_of(args).get("/v1/ports", query),
                                     args.text("DEST"), ports_view);
            }};
}

} // namespace ballast::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {

Command health_verb() {
    return {.name = "health",
            .summary = "Destinations, worst first",
            .parameters = {what_parameter("WHAT"), limit_parameter()},
            .run = [](const Arguments& args) {
                return show_narrowed(args,
                                     client_of(args).get("/v1/health", what_query(args, "WHAT")),
                                     args.text("WHAT"), health_view);
            }};
}

} // namespace ballast::cli

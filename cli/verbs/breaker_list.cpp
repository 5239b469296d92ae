// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {

Command breaker_list_verb() {
    return {.name = "list",
            .summary = "Breakers that have seen a failure or are forced, those that refuse first",
            .parameters = {what_parameter("FILTER"), limit_parameter()},
            .run = [](const Arguments& args) {
                return show_narrowed(
                    args, client_of(args).get("/v1/breakers", what_query(args, "FILTER")),
                    args.text("FILTER"), breakers_view);
            }};
}

} // namespace ballast::cli

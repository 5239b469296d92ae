// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {

Command limit_list_verb() {
    return {.name = "list",
            .summary = "The policy in force and the overrides",
            .parameters = {limit_parameter()},
            .run = [](const Arguments& args) {
                return show_or_report(args, client_of(args).get("/v1/limits", limit_query(args)),
                                      limits_view);
            }};
}

} // namespace ballast::cli

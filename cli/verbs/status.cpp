// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {

Command status_verb() {
    return {.name = "status",
            .summary = "Is Ballast well: guards, limits, policy, costs, on one screen",
            .run = [](const Arguments& args) {
                return show_or_report(args, client_of(args).get("/v1/status"), status_view);
            }};
}

} // namespace ballast::cli

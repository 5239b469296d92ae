// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {

Command reload_verb() {
    return {.name = "reload",
            .summary = "Read the policy file again",
            .run = [](const Arguments& args) {
                return show_or_report(args, client_of(args).write("POST", "/v1/reload"),
                                      reload_view);
            }};
}

} // namespace ballast::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/http.h"
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {

Command limit_unset_verb() {
    return {.name = "unset",
            .summary = "Remove an override; the policy file decides again",
            .parameters = {{.name = "TARGET",
                            .help = "As it was given to set",
                            .completes = Completes::targets,
                            .is_required = true}},
            .run = [](const Arguments& args) {
                const std::string path = "/v1/limits/" + percent_encode(args.text("TARGET"));
                return show_or_report(args, client_of(args).write("DELETE", path),
                                      override_removed_view);
            }};
}

} // namespace ballast::cli

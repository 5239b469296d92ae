// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/verbs.h"

namespace ballast::cli {

void add_arm(CLI::App& app, Call& call) {
    app.add_subcommand("arm", "Undo disarm: guards act as the policy says")->callback([&call] {
        call.exit_code = switch_guards(call, true);
    });
}

} // namespace ballast::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/verbs.h"

namespace ballast::cli {

void add_disarm(CLI::App& app, Call& call) {
    app.add_subcommand("disarm", "Kill switch: every guard only observes; needs no daemon")
        ->callback([&call] { call.exit_code = switch_guards(call, false); });
}

} // namespace ballast::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"

namespace ballast::cli {

Command disarm_verb() {
    return {.name = "disarm",
            .summary = "Kill switch: every guard only observes; needs no daemon",
            .run = [](const Arguments& args) { return switch_guards(args, false); }};
}

} // namespace ballast::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"

namespace ballast::cli {

Command arm_verb() {
    return {.name = "arm",
            .summary = "Undo disarm: guards act as the policy says",
            .run = [](const Arguments& args) { return switch_guards(args, true); }};
}

} // namespace ballast::cli

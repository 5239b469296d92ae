// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include "cli/verbs/verbs.h"
#include "cli/views/views.h"
#include "daemon/kernel/pinned.h"

namespace ballast::cli {

int switch_guards(const Call& call, bool armed) {
    const auto was = kernel::set_armed(call.bpffs, armed);
    if (was)
        return show(call, armed_view(call.bpffs, *was, armed));
    const bool missing = was.error().errno_value() == ENOENT;
    return report({missing ? exit_not_found : exit_failed, was.error()});
}

} // namespace ballast::cli

// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include "cli/verbs/shared.h"
#include "cli/views/views.h"
#include "daemon/kernel/pinned.h"

namespace ballast::cli {

int switch_guards(const Arguments& args, bool armed) {
    const std::string bpffs = args.text("--bpffs");
    const auto was = kernel::set_armed(bpffs, armed);
    if (was)
        return show(args, armed_view(bpffs, *was, armed));
    const bool missing = was.error().errno_value() == ENOENT;
    return report({missing ? exit_not_found : exit_failed, was.error()});
}

} // namespace ballast::cli

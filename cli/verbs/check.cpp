// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"
#include "daemon/kernel/probe.h"

namespace ballast::cli {
namespace {

int run_check(const Arguments& args) {
    const auto probes = kernel::probe_features(args.text("--cgroup"));
    const int shown = show(args, check_view(probes));
    return shown == exit_ok && kernel::lacks_required(probes) ? exit_missing_feature : shown;
}

} // namespace

Command check_verb() {
    return {.name = "check",
            .summary = "Preflight: try each kernel feature that Ballast needs",
            .run = run_check};
}

} // namespace ballast::cli

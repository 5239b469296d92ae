// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"
#include "daemon/kernel/probe.h"

namespace ballast::cli {
namespace {

int run(const Call& call) {
    const auto probes = kernel::probe_features(call.cgroup);
    const int shown = show(call, check_view(probes));
    return shown == exit_ok && kernel::lacks_required(probes) ? exit_missing_feature : shown;
}

} // namespace

void add_check(CLI::App& app, Call& call) {
    app.add_subcommand("check", "Preflight: try each kernel feature that Ballast needs")
        ->callback([&call] { call.exit_code = run(call); });
}

} // namespace ballast::cli

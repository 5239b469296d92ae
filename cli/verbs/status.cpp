// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

int run(const Call& call) {
    const auto document = Client(call.runtime_dir).get("/v1/status");
    return document ? show(call, status_view(*document)) : report(document.error());
}

} // namespace

void add_status(CLI::App& app, Call& call) {
    app.add_subcommand("status", "Is Ballast well: guards, limits, policy, costs, on one screen")
        ->callback([&call] { call.exit_code = run(call); });
}

} // namespace ballast::cli

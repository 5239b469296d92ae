// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

int run(const Call& call) {
    const auto document = Client(call.runtime_dir).write("POST", "/v1/reload");
    return document ? show(call, reload_view(*document)) : report(document.error());
}

} // namespace

void add_reload(CLI::App& app, Call& call) {
    app.add_subcommand("reload", "Read the policy file again")->callback([&call] {
        call.exit_code = run(call);
    });
}

} // namespace ballast::cli

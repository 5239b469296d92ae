// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/client.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

int run(const Call& call, std::size_t limit) {
    const auto document =
        Client(call.runtime_dir).get("/v1/limits", {{"limit", std::to_string(limit)}});
    return document ? show(call, limits_view(*document)) : report(document.error());
}

} // namespace

void add_limit_list(CLI::App& limit, Call& call) {
    auto rows = std::make_shared<std::size_t>(kDefaultLimit);
    auto* verb = limit.add_subcommand("list", "The policy in force and the overrides");
    add_list_limit(*verb, *rows);
    verb->callback([&call, rows] { call.exit_code = run(call, *rows); });
}

} // namespace ballast::cli

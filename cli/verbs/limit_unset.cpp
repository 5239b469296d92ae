// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/client.h"
#include "cli/http.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

int run(const Call& call, const std::string& target) {
    const auto document =
        Client(call.runtime_dir).write("DELETE", "/v1/limits/" + percent_encode(target));
    return document ? show(call, override_removed_view(*document)) : report(document.error());
}

} // namespace

void add_limit_unset(CLI::App& limit, Call& call) {
    auto target = std::make_shared<std::string>();
    auto* verb = limit.add_subcommand("unset", "Remove an override; the policy file decides again");
    verb->add_option("TARGET", *target, "As it was given to set")->required();
    verb->callback([&call, target] { call.exit_code = run(call, *target); });
}

} // namespace ballast::cli

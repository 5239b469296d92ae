// SPDX-License-Identifier: Apache-2.0
// Options and arguments that several verbs share.
#include "cli/verbs/verbs.h"
#include "daemon/util/address.h"

namespace ballast::cli {

void add_list_limit(CLI::App& verb, std::size_t& limit) {
    verb.add_option("--limit", limit, "Most rows to show")
        ->check(CLI::Range(std::size_t{1}, kMaxLimit))
        ->capture_default_str();
}

std::string parameter_for(const std::string& what) {
    return parse_endpoint(what) || parse_prefix(what) ? "dest" : "service";
}

} // namespace ballast::cli

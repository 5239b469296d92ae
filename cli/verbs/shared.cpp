// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/shared.h"

#include "daemon/util/address.h"

namespace ballast::cli {
namespace {

constexpr std::uint64_t kMostRows = 10'000;

/// "dest" for what reads as an endpoint, address or prefix.
std::string filter_for(const std::string& what) {
    return parse_endpoint(what) || parse_prefix(what) ? "dest" : "service";
}

} // namespace

Parameter limit_parameter() {
    return {.name = "--limit",
            .help = "Most rows to show",
            .takes = Takes::number,
            .least = 1,
            .most = kMostRows,
            .fallback = "100"};
}

Client::Query limit_query(const Arguments& args) {
    return {{"limit", std::to_string(args.number("--limit"))}};
}

Parameter what_parameter(const std::string& name) {
    return {.name = name,
            .help = "An endpoint (10.0.0.5:5432), address, prefix, or service name",
            .completes = Completes::targets};
}

Client::Query what_query(const Arguments& args, const std::string& name) {
    Client::Query query = limit_query(args);
    if (const std::string what = args.text(name); !what.empty())
        query.emplace_back(filter_for(what), what);
    return query;
}

Parameter destination_parameter(const std::string& name, const std::string& help) {
    return {.name = name, .help = help, .completes = Completes::destinations, .is_required = true};
}

Parameter lasts_parameter(const std::string& until) {
    return {.name = "--for", .help = "How long (90s, 30m, 2h); without it, until " + until};
}

Outcome<std::int64_t> lasts_ms(const Arguments& args, const DurationRange& range) {
    if (!args.has("--for"))
        return 0;
    const auto lasts = parse_duration(args.text("--for"), range);
    if (!lasts)
        return fail_with(exit_usage, lasts.error().context("--for").hint("as in 90s, 30m or 2h"));
    return lasts->count();
}

Client client_of(const Arguments& args) {
    return Client(args.text("--runtime-dir"));
}

} // namespace ballast::cli

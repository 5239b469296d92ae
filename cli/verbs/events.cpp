// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"
#include "daemon/findings/reasons.h"
#include "daemon/util/wall_time.h"

namespace ballast::cli {
namespace {

constexpr std::chrono::milliseconds kFollowInterval{500};
constexpr const char* kMostAtOnce = "1000";

/// As the API takes it: an id and a time are the daemon's to judge.
std::string since_of(const std::string& text) {
    const bool is_id = text.find_first_not_of("0123456789") == std::string::npos;
    const auto ago = parse_duration(text);
    return ago && !is_id ? rfc3339(std::chrono::system_clock::now() - *ago) : text;
}

Client::Query events_query(const Arguments& args) {
    Client::Query query = limit_query(args);
    if (args.has("--since"))
        query.emplace_back("since", since_of(args.text("--since")));
    if (args.has("--reason"))
        query.emplace_back("reason", args.text("--reason"));
    if (args.has("DEST"))
        query.emplace_back("destination", args.text("DEST"));
    return query;
}

/// The same question about what comes after `id`.
Client::Query after(Client::Query query, std::uint64_t id) {
    std::erase_if(query,
                  [](const auto& one) { return one.first == "since" || one.first == "limit"; });
    query.emplace_back("since", std::to_string(id));
    query.emplace_back("limit", kMostAtOnce);
    return query;
}

bool print(const Json& findings, bool as_json) {
    for (const Json& one : findings) {
        const std::string line =
            as_json ? one.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"
                    : event_line(one);
        if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size())
            return false;
    }
    return std::fflush(stdout) == 0;
}

/// Where to go on after an answer about what came after `from`. A daemon whose last id is lower has
/// lost its history: everything it has is new.
std::uint64_t next_from(const Json& document, std::uint64_t from) {
    const auto last = document.at("last_id").get<std::uint64_t>();
    if (last < from)
        return 0;
    const Json& rows = document.at("findings");
    if (document.at("returned") == document.at("total") || rows.empty())
        return last;
    return rows.back().at("id").get<std::uint64_t>();
}

/// Until it is interrupted. A daemon that was there and is gone may come back.
int follow(const Arguments& args) {
    const Client client = client_of(args);
    auto document = client.get("/v1/findings", events_query(args));
    if (!document)
        return report(document.error());
    std::uint64_t from = 0;
    bool is_gone = false;
    for (;;) {
        if (document) {
            if (!print(document->at("findings"), args.has("--json")))
                return report({exit_failed, Error::system("writing to standard output", errno)});
            from = next_from(*document, from);
            is_gone = false;
        } else if (document.error().exit_code != exit_unreachable) {
            return report(document.error());
        } else if (!std::exchange(is_gone, true)) {
            report(document.error());
        }
        std::this_thread::sleep_for(kFollowInterval);
        document = client.get("/v1/findings", after(events_query(args), from));
    }
}

int run_events(const Arguments& args) {
    if (args.has("--follow"))
        return follow(args);
    return show_or_report(args, client_of(args).get("/v1/findings", events_query(args)),
                          events_view);
}

std::vector<std::string> codes() {
    std::vector<std::string> all;
    for (const auto& row : findings::kReasons)
        all.emplace_back(row.code);
    return all;
}

} // namespace

Command events_verb() {
    return {.name = "events",
            .summary = "What was found and done, oldest first",
            .parameters = {{.name = "DEST",
                            .help = "An endpoint (10.0.0.5:5432), address or prefix",
                            .completes = Completes::destinations},
                           {.name = "--follow",
                            .help = "Go on with what comes, until interrupted",
                            .takes = Takes::nothing},
                           {.name = "--since",
                            .help = "A time (2024-05-01T05:00:00Z), so long ago (2h), or after the "
                                    "finding of an id"},
                           {.name = "--reason",
                            .help = "One reason (docs/findings.md)",
                            .takes = Takes::word,
                            .words = codes()},
                           limit_parameter()},
            .run = run_events};
}

} // namespace ballast::cli

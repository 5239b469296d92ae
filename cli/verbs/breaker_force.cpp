// SPDX-License-Identifier: Apache-2.0
// open, close and auto: what a person wants of a breaker over its head.
#include "cli/http.h"
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

constexpr DurationRange kOrderLasts{std::chrono::seconds(1), std::chrono::hours(24 * 365)};

int order(const Arguments& args, const std::string& method, const Json& body) {
    const std::string path = "/v1/breakers/" + percent_encode(args.text("DEST"));
    return show_or_report(args, client_of(args).write(method, path, body), breaker_order_view);
}

int force(const Arguments& args, const std::string& to) {
    Json body{{"force", to}};
    if (!args.text("--reason").empty())
        body["reason"] = args.text("--reason");
    const auto lasts = lasts_ms(args, kOrderLasts);
    if (!lasts)
        return report(lasts.error());
    if (*lasts != 0)
        body["lasts_ms"] = *lasts;
    return order(args, "PUT", body);
}

Parameter breaker_parameter() {
    return destination_parameter("DEST", "ADDRESS:PORT, as `breaker list` shows it");
}

Command force_verb(const char* name, const char* summary, const char* to) {
    return {
        .name = name,
        .summary = summary,
        .parameters = {breaker_parameter(),
                       {.name = "--reason", .help = "Why, for those who find it; at most 95 bytes"},
                       lasts_parameter("auto")},
        .run = [to](const Arguments& args) { return force(args, to); }};
}

} // namespace

Command breaker_open_verb() {
    return force_verb("open", "Refuse every connect to a destination", "open");
}

Command breaker_close_verb() {
    return force_verb("close", "Let connects pass, whatever fails", "closed");
}

Command breaker_auto_verb() {
    return {.name = "auto",
            .summary = "Undo open and close: the breaker decides itself",
            .parameters = {breaker_parameter()},
            .run = [](const Arguments& args) { return order(args, "DELETE", nullptr); }};
}

} // namespace ballast::cli

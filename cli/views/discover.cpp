// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/format.h"
#include "cli/human.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

constexpr std::int64_t kSecondMs = 1'000;
constexpr std::int64_t kMinuteMs = 60 * kSecondMs;
constexpr std::int64_t kHourMs = 60 * kMinuteMs;

/// Rounded up to the displayed unit, so that the path never looks quicker than it is.
std::string human_at_least(std::int64_t value_ms) {
    const std::int64_t unit = value_ms < kSecondMs   ? 1
                              : value_ms < kMinuteMs ? 100
                              : value_ms < kHourMs   ? kSecondMs
                                                     : kMinuteMs;
    return human_ms((value_ms + unit - 1) / unit * unit);
}

/// "4m38s to 5m12s", "2s or less"
std::string bracket_text(const Json& document) {
    const auto died = human_at_least(document.at("died_ms").get<std::int64_t>());
    if (document.at("survived_ms").is_null())
        return died + " or less";
    return fmt::format("{} to {}", format_ms(document.at("survived_ms")), died);
}

std::string death_row_text(const Json& document) {
    const std::string after = bracket_text(document);
    if (document.at("death") == "reset")
        return "packets are answered with RST after " + after + " of silence";
    if (document.at("death") == "reset_unasked")
        return fmt::format("connections are reset after {} of silence, without being used: by the "
                           "server, or by a device that announces its timeout",
                           after);
    return fmt::format("connections are dropped, silently, after {} of silence", after);
}

/// The partial result where no end was reached.
std::string known_text(const Json& document) {
    if (!document.at("died_ms").is_null())
        return death_row_text(document);
    if (!document.at("survived_ms").is_null())
        return fmt::format("connections survived {} of silence; nothing is known beyond",
                           format_ms(document.at("survived_ms")));
    return "nothing is known yet";
}

std::string closing_text(const Json& document) {
    return fmt::format("the server itself closes connections after {} of silence; the path keeps "
                       "them for longer",
                       format_ms(document.at("closes_after_ms")));
}

std::string result_text(const Json& document) {
    const Json& outcome = document.at("outcome");
    if (outcome == "bracketed")
        return death_row_text(document);
    if (outcome == "none_up_to_max")
        return fmt::format("no idle timeout up to {}: connections survived that",
                           format_ms(document.at("max_ms")));
    if (outcome == "peer_closes")
        return closing_text(document);
    return (outcome == "interrupted" ? "stopped early: " : "so far: ") + known_text(document);
}

std::string effort_text(const Json& document) {
    return fmt::format("took {}, {}, at most {} at a time",
                       human_ms(document.at("elapsed_ms").get<std::int64_t>()),
                       counted(document.at("opened").get<std::uint64_t>(), "connection"),
                       format_count(document.at("connections")));
}

/// A host that is late to probe makes it so.
bool wider_than_wanted(const Json& document) {
    if (document.at("survived_ms").is_null() || document.at("death") != "silently_dropped")
        return false;
    const auto survived = document.at("survived_ms").get<std::int64_t>();
    const auto width = document.at("died_ms").get<std::int64_t>() - survived;
    return width * 100 > survived * document.at("resolution_percent").get<std::int64_t>();
}

/// Adds what casts doubt on the result, where there is any.
void add_doubts(Table& table, const Json& document) {
    const auto add = [&](const char* key, const char* one, const char* text) {
        const auto count = document.at(key).get<std::uint64_t>();
        if (count != 0)
            table.foot(fmt::format("  {} {}", counted(count, one), text));
    };
    if (wider_than_wanted(document))
        table.foot(fmt::format("  wider than {}%: this host was too busy to probe in time",
                               format_count(document.at("resolution_percent"))));
    add("volleys_lost", "volley", "of probes unanswered by connections that answered later");
    add("silences_broken", "silence", "broken by something else, and begun anew");
    add("contradictions", "connection", "outlived others: timeouts may differ");
    add("odd_ends", "connection", "closed by the server sooner than others");
}

} // namespace

Table discover_view(const Json& document) {
    Table table(document, Json::array(), {});
    const Json& name = document.at("name");
    table.foot(fmt::format("{}{}: {}", format_text(document.at("destination")),
                           name.is_null() ? "" : fmt::format(" ({})", format_text(name)),
                           result_text(document)));
    table.foot("  " + effort_text(document));
    add_doubts(table, document);
    return table;
}

} // namespace ballast::cli

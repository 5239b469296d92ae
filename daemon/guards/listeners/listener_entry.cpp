// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/listeners/listener_entry.h"

#include <algorithm>
#include <map>

#include "daemon/config/entry_parts.h"
#include "daemon/util/quote.h"

namespace ballast {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kOnWanted = "an array of strings such as [\"*:443\", \"10.0.0.2:5432\"]";
constexpr std::string_view kInterfacesWanted = "an array of strings such as [\"eth*\", \"lo\"]";
constexpr std::string_view kSpareWanted = "an array of prefixes such as [\"10.9.0.0/16\"]";

constexpr DurationRange kAgeTarget{1ms, 10s, true};
constexpr DurationRange kStandingFor{10ms, 1min};
constexpr std::uint32_t kMaxRate = 10'000'000;
constexpr std::size_t kMaxDeviceName = 15; // IFNAMSIZ less its NUL (include/uapi/linux/if.h)

void read_on(const TableReader& reader, ListenerEntry& entry) {
    if (!reader.has("on"))
        reader.problem("on", fmt::format("missing; wanted {}", kOnWanted));
    read_strings(reader, "on", kOnWanted, [&](const std::string& text, const toml::node& node) {
        if (const auto parsed = parse_guarded(text))
            entry.on.push_back({*parsed, reader.place_of(node)});
        else
            reader.problem_at(node, "on", parsed.error().text());
    });
}

void read_spare(const TableReader& reader, ListenerRule& rule) {
    read_strings(reader, "spare", kSpareWanted,
                 [&](const std::string& text, const toml::node& node) {
                     if (const auto parsed = parse_prefix(text))
                         rule.spare.push_back(*parsed);
                     else
                         reader.problem_at(node, "spare", parsed.error().text());
                 });
    reader.fill(rule.spare_percent, "spare_percent", std::uint8_t{1}, std::uint8_t{90});
    if (reader.has("spare_percent") && !reader.has("spare"))
        reader.problem("spare_percent", "needs spare, whom the share is kept for");
}

void read_share(const TableReader& reader, ListenerRule& rule) {
    reader.fill(rule.share_percent, "max_share_per_source", std::uint8_t{1}, std::uint8_t{100});
    reader.fill(rule.source_ipv4, "source_prefix_ipv4", std::uint8_t{8}, std::uint8_t{32});
    reader.fill(rule.source_ipv6, "source_prefix_ipv6", std::uint8_t{16}, std::uint8_t{128});
}

void read_max_rate(const TableReader& reader, ListenerRule& rule) {
    reader.fill(rule.max_rate, "max_rate", 1U, kMaxRate);
    reader.fill(rule.burst, "burst", 1U, kMaxRate);
    if (reader.has("burst") && !reader.has("max_rate"))
        reader.problem("burst", "needs max_rate");
}

void read_queue(const TableReader& reader, ListenerRule& rule) {
    reader.fill(rule.low_percent, "low", std::uint8_t{1}, std::uint8_t{99});
    reader.fill(rule.high_percent, "high", std::uint8_t{2}, std::uint8_t{100});
    if (rule.low_percent >= rule.high_percent)
        reader.problem(
            "low", fmt::format("{} is not below high, {}", rule.low_percent, rule.high_percent));
    reader.fill(rule.target, "target", kAgeTarget);
    reader.fill(rule.interval, "interval", kStandingFor);
    if (rule.target.count() != 0 && rule.interval <= rule.target)
        reader.problem("interval", "is not longer than target, so that one slow accept() would be "
                                   "taken for a standing queue");
}

/// Whether two of all entries have the same name or address; `seen` has those before.
void find_twice(const ListenerEntry& entry, std::map<std::string, Place>& seen,
                ProblemList& errors) {
    const auto note = [&](const std::string& what, const Place& place, std::string_view key) {
        const auto [at, is_new] = seen.emplace(what, place);
        if (!is_new)
            errors.add(place, std::string(key),
                       fmt::format("{} is taken: {}", what, at->second.text()));
    };
    if (!entry.row.name.empty())
        note(fmt::format("the name {}", in_quotes(entry.row.name)), entry.name_place,
             "listener.name");
    for (const auto& on : entry.on)
        note(on.value.text(), on.place, "listener.on");
}

template <typename Count>
void check_count(const std::vector<ListenerEntry>& entries, std::size_t most, std::string_view what,
                 const Count& count, ProblemList& errors) {
    std::size_t all = 0;
    for (const auto& entry : entries) {
        all += count(entry);
        if (all > most)
            return errors.add(entry.place, "listener",
                              fmt::format("more than {} {} in all", most, what));
    }
}

} // namespace

void read_listeners(const TableReader& reader, ListenerOptions& options) {
    reader.fill(options.mode, "mode", kModeNames);
    if (reader.has("interfaces"))
        options.interfaces.clear();
    if (const auto* list = reader.array("interfaces", kInterfacesWanted); list && !list->empty())
        read_strings(reader, "interfaces", kInterfacesWanted,
                     [&](const std::string& text, const toml::node& node) {
                         if (!text.empty() && text.size() <= kMaxDeviceName &&
                             text.find_first_of(" /\t") == std::string::npos)
                             options.interfaces.push_back(text);
                         else
                             reader.problem_at(node, "interfaces",
                                               in_quotes(text) + " is no device's name or glob");
                     });
    if (options.interfaces.size() > kMaxDevicePatterns)
        reader.problem("interfaces", fmt::format("more than {}", kMaxDevicePatterns));
    reader.refuse_the_rest();
}

ListenerEntry read_listener(const TableReader& reader, ProblemList& warnings) {
    ListenerEntry entry;
    entry.place = reader.place();
    entry.name_place = reader.place("name");
    entry.row.origin = entry.place.text();
    entry.row.name = read_name(reader, "listener");
    read_on(reader, entry);
    entry.mode = reader.choice<Mode>("mode", kModeNames);
    reader.fill(entry.row.action, "action", kShedActionNames);
    read_queue(reader, entry.row);
    read_spare(reader, entry.row);
    read_share(reader, entry.row);
    read_max_rate(reader, entry.row);
    if (entry.row.action == ShedAction::drop)
        warnings.add(reader.place("action"), reader.full_key("action"),
                     "a dropped client waits, and tries again after 1, 3, 7 s: \"rst\" has it know "
                     "at once");
    reader.refuse_the_rest();
    return entry;
}

std::vector<ListenerRule> listener_rules(const std::vector<ListenerEntry>& entries,
                                         const ListenerOptions& options, ProblemList& errors,
                                         ProblemList& warnings) {
    std::vector<ListenerRule> rules;
    std::map<std::string, Place> seen;
    for (const auto& entry : entries) {
        find_twice(entry, seen, errors);
        ListenerRule rule = entry.row;
        rule.mode = entry.mode.value_or(options.mode);
        for (const auto& on : entry.on)
            rule.on.push_back(on.value);
        rules.push_back(std::move(rule));
    }
    if (!entries.empty() && options.interfaces.empty())
        warnings.add(entries.front().place, "listener",
                     "has no effect: [listeners] interfaces names no device");
    check_count(
        entries, kMaxListenerRules, "listeners", [](const auto&) { return 1U; }, errors);
    check_count(
        entries, kMaxGuarded, "elements of on", [](const auto& one) { return one.on.size(); },
        errors);
    check_count(
        entries, kMaxSpared, "elements of spare",
        [](const auto& one) { return one.row.spare.size(); }, errors);
    return rules;
}

} // namespace ballast

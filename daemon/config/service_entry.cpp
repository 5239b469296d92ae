// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/service_entry.h"

#include <algorithm>

#include "daemon/util/quote.h"

namespace ballast {
namespace {

constexpr std::array<std::string_view, 5> kServiceKeys{"name", "to", "max_connections", "on_limit",
                                                       "mode"};

constexpr std::string_view kNameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "abcdefghijklmnopqrstuvwxyz"
                                             "0123456789._-";

constexpr std::string_view kToWanted =
    "an array of strings such as [\"10.0.0.5:5432\", \"10.1.0.0/16\"]";

bool is_service_name(std::string_view text) {
    return !text.empty() && text.size() <= kMaxServiceName &&
           text.find_first_not_of(kNameCharacters) == std::string_view::npos;
}

std::string read_name(const TableReader& reader) {
    if (!reader.has("name")) {
        reader.problem("name", "missing; every service needs a name");
        return {};
    }
    const auto name = reader.string("name");
    if (!name || is_service_name(*name))
        return name.value_or("");
    reader.problem("name", fmt::format("{} is not a name; wanted 1 to {} of A-Z a-z 0-9 . _ -",
                                       quoted(*name), kMaxServiceName));
    return {};
}

void read_target(const TableReader& reader, const toml::node& node,
                 std::vector<PlacedTarget>& out) {
    const auto* text = node.as_string();
    if (text == nullptr) {
        reader.problem_at(node, "to", described(node) + " is not a string");
        return;
    }
    const auto target = parse_target(text->get());
    if (target)
        out.push_back({*target, reader.place_of(node)});
    else
        reader.problem_at(node, "to", target.error().text());
}

std::vector<PlacedTarget> read_targets(const TableReader& reader) {
    std::vector<PlacedTarget> out;
    const auto* array = reader.array("to", kToWanted);
    if (array != nullptr)
        for (const toml::node& node : *array)
            read_target(reader, node, out);
    if (!reader.has("to"))
        reader.problem("to", fmt::format("missing; wanted {}", kToWanted));
    else if (array != nullptr && array->empty())
        reader.problem("to", fmt::format("empty; wanted {}", kToWanted));
    return out;
}

std::optional<std::uint32_t> read_max_connections(const TableReader& reader) {
    const auto value = reader.integer("max_connections", 1, kMaxConnections);
    return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
}

/// Keys that say what happens at a limit, in a service that has none.
void warn_pointless(const TableReader& reader, const ServiceEntry& entry, ProblemList& warnings) {
    if (reader.has("max_connections"))
        return;
    if (entry.mode == Mode::enforce)
        warnings.add(reader.place("mode"), "service.mode",
                     "enforces nothing: the service has no max_connections");
    if (entry.on_limit)
        warnings.add(reader.place("on_limit"), "service.on_limit",
                     "has no effect: the service has no max_connections");
}

} // namespace

ServiceEntry read_service(const TableReader& reader, ProblemList& warnings) {
    reader.refuse_unknown(kServiceKeys);
    ServiceEntry entry;
    entry.place = reader.place();
    entry.name_place = reader.place("name");
    entry.name = read_name(reader);
    entry.to = read_targets(reader);
    entry.max_connections = read_max_connections(reader);
    entry.on_limit = reader.choice<OnLimit>("on_limit", kOnLimitNames);
    entry.mode = reader.choice<Mode>("mode", kModeNames);
    warn_pointless(reader, entry, warnings);
    return entry;
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/service_lists.h"

#include <algorithm>

#include "daemon/config/entry_parts.h"
#include "daemon/model/from_pattern.h"
#include "daemon/util/quote.h"

namespace ballast {
namespace {

constexpr std::string_view kToWanted =
    "an array of strings such as [\"10.0.0.5:5432\", \"10.1.0.0/16\", \"db.internal:5432\"]";
constexpr std::string_view kFromWanted =
    "an array of strings such as [\"app-*.service\", \"/system.slice/cron.service\"]";

/// Appends what was parsed, or reports why it was not.
template <typename T>
void take(const TableReader& reader, const toml::node& node, const Result<T>& parsed,
          std::vector<Placed<T>>& out) {
    if (parsed)
        out.push_back({*parsed, reader.place_of(node)});
    else
        reader.problem_at(node, "to", parsed.error().text());
}

} // namespace

void read_targets(const TableReader& reader, ServiceEntry& entry) {
    if (!reader.has("to"))
        reader.problem("to", fmt::format("missing; wanted {}", kToWanted));
    read_strings(reader, "to", kToWanted, [&](const std::string& text, const toml::node& node) {
        if (is_named_target(text))
            take(reader, node, parse_named_target(text), entry.to_names);
        else
            take(reader, node, parse_target(text), entry.to);
    });
}

void read_from(const TableReader& reader, ServiceEntry& entry, ProblemList& warnings) {
    read_strings(reader, "from", kFromWanted, [&](const std::string& text, const toml::node& node) {
        const auto same = [&](const auto& placed) { return placed.value == text; };
        if (const auto checked = check_from(text); !checked)
            reader.problem_at(node, "from", checked.error().text());
        else if (entry.from.size() > kMaxFrom)
            return; // one too many is enough for find_conflicts() to say so
        else if (std::ranges::any_of(entry.from, same))
            warnings.add(reader.place_of(node), reader.full_key("from"),
                         fmt::format("{} is repeated", in_quotes(text)));
        else
            entry.from.push_back({text, reader.place_of(node)});
    });
}

} // namespace ballast

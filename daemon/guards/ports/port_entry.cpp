// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/port_entry.h"

#include <algorithm>
#include <utility>

#include "daemon/util/quote.h"

namespace ballast {
namespace {

std::optional<Address> read_source(const TableReader& reader, const toml::node& node) {
    const auto* text = node.as_string();
    const auto address = text ? parse_address(text->get()) : fail(Error(""));
    if (address)
        return *address;
    reader.problem_at(node, "source_pool",
                      described(node) + " is not an address of this host such as \"10.0.0.3\"");
    return std::nullopt;
}

/// None: absent, or wrong.
std::optional<std::vector<Address>> read_pool(const TableReader& reader) {
    const toml::array* list = reader.array("source_pool", "an array of addresses of this host");
    if (list == nullptr)
        return std::nullopt;
    std::vector<Address> pool;
    for (const toml::node& node : *list) {
        const auto source = read_source(reader, node);
        if (!source)
            return std::nullopt;
        if (std::ranges::find(pool, *source) == pool.end())
            pool.push_back(*source);
    }
    if (pool.size() > kMaxSources) {
        reader.problem("source_pool",
                       fmt::format("has {} addresses, more than {}", pool.size(), kMaxSources));
        return std::nullopt;
    }
    return pool;
}

/// A table that names `spread` says over what.
void check_spread(const TableReader& reader, const Reliefs& relief) {
    if (reader.has("relief") && relief.has(Relief::spread) && !reader.has("source_pool"))
        reader.problem("relief", "spread needs source_pool, the addresses to spread over");
}

} // namespace

void read_ports(const TableReader& reader, PortRule& host) {
    reader.fill(host.relief, "relief", kReliefNames);
    if (auto pool = read_pool(reader))
        host.source_pool = std::move(*pool);
    check_spread(reader, host.relief);
    reader.refuse_the_rest();
}

void read_ports(const TableReader& reader, ServiceEntry& entry, ProblemList& warnings) {
    entry.ports_mode = reader.choice<Mode>("mode", kModeNames);
    if (reader.has("relief")) {
        entry.relief.emplace();
        reader.fill(*entry.relief, "relief", kReliefNames);
        check_spread(reader, *entry.relief);
    }
    entry.source_pool = read_pool(reader);
    if (entry.ports_mode == Mode::enforce && entry.relief && entry.relief->empty())
        warnings.add(reader.place("mode"), reader.full_key("mode"),
                     "enforces nothing: relief is empty");
    reader.refuse_the_rest();
}

} // namespace ballast

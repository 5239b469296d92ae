// SPDX-License-Identifier: Apache-2.0
#include "cli/discover/allowance.h"

#include <algorithm>
#include <array>
#include <fstream>

#include <fmt/format.h>

#include "cli/human.h"

namespace ballast::cli {
namespace {

const char* const kAllRows = "10000";

/// This process's cgroup, as /proc has it below the root of the hierarchy.
std::string own_cgroup() {
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("0::"))
            return line.substr(3);
    return "/";
}

Json row_of(const Json& rows, const char* key, const std::string& value) {
    for (const Json& row : rows)
        if (row.at(key) == value)
            return row;
    return nullptr;
}

std::size_t sum_in_use(const Json& rows, const std::string& service) {
    std::size_t sum = 0;
    for (const Json& row : rows)
        if (row.at("service") == service && !row.at("in_use").is_null())
            sum += row.at("in_use").get<std::size_t>();
    return sum;
}

/// The tightest of the service's limits. The daemon does not report usage per consumer.
Places tightest(const std::string& service, const Json& limit, std::size_t in_use,
                std::size_t in_use_total) {
    struct Key {
        const char* name;
        std::size_t in_use;
    };
    const std::array<Key, 4> keys{{{"max_connections", in_use},
                                   {"max_connections_total", in_use_total},
                                   {"max_per_consumer", 0},
                                   {"burst", 0}}};
    Places places{.service = service};
    const auto left = [](std::size_t most, std::size_t used) {
        return most - std::min(used, most);
    };
    for (const auto& [name, used] : keys) {
        if (limit.at(name).is_null())
            continue;
        const auto most = limit.at(name).get<std::size_t>();
        if (places.limit.empty() || left(most, used) < left(places.most, places.in_use))
            places = {service, name, most, used};
    }
    return places;
}

} // namespace

Outcome<Places> ask_places(const Client& client, const Endpoint& destination) {
    const auto explained =
        client.get("/v1/explain", {{"destination", destination.text()}, {"from", own_cgroup()}});
    if (!explained)
        return tl::unexpected(explained.error());
    if (explained->at("governing").is_null())
        return Places{};
    const auto service = explained->at("governing").get<std::string>();
    const auto limits = client.get("/v1/limits", {{"limit", kAllRows}});
    if (!limits)
        return tl::unexpected(limits.error());
    const auto used = client.get("/v1/health", {{"service", service}, {"limit", kAllRows}});
    if (!used)
        return tl::unexpected(used.error());
    const Json limit = row_of(limits->at("limits"), "service", service);
    if (limit.is_null() || limit.at("mode") == "off")
        return Places{.service = service};
    Json here = used->at("destinations");
    here.erase(
        std::remove_if(here.begin(), here.end(),
                       [&](const Json& row) { return row.at("endpoint") != destination.text(); }),
        here.end());
    return tightest(service, limit, sum_in_use(here, service),
                    sum_in_use(used->at("destinations"), service));
}

Outcome<Allowance> allow(const Places& places, const Endpoint& destination, std::size_t wanted) {
    if (places.limit.empty())
        return Allowance{wanted, ""};
    const std::size_t free = places.most - std::min(places.in_use, places.most);
    if (free < kFewestConnections)
        return fail_with(
            exit_failed,
            Error(fmt::format("{} of {} allows {} to {} and {} in use: measuring needs {} more",
                              places.limit, places.service, counted(places.most, "connection"),
                              destination.text(),
                              places.in_use == 1 ? "1 is" : fmt::format("{} are", places.in_use),
                              kFewestConnections))
                .hint("raise it for a while (ballast limit set --for) or try when fewer are used"));
    const std::size_t half = std::max(free / 2, kFewestConnections);
    if (half >= wanted)
        return Allowance{wanted, ""};
    return Allowance{half, fmt::format("at most {} open: half of the {} that {} of {} leaves free",
                                       half, free, places.limit, places.service)};
}

Outcome<Allowance> ask_allowance(const Client& client, const Endpoint& destination,
                                 std::size_t wanted) {
    const auto places = ask_places(client, destination);
    if (places)
        return allow(*places, destination, wanted);
    return Allowance{wanted, fmt::format("no limit is known: {}", places.error().error.message())};
}

} // namespace ballast::cli

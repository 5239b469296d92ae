// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/path_body.h"

#include <string>

#include "daemon/api/body.h"

namespace ballast::api {

namespace {

constexpr std::string_view kPathForm =
    R"(wanted: {"survived_ms": N, "died_ms": N}, one of them or both)";

Result<void> set_silence(std::optional<std::chrono::milliseconds>& into, const std::string& key,
                         const Json& value) {
    if (!value.is_number_unsigned() || value < kShortestSilence.count() ||
        value > kLongestSilence.count())
        return fail(bad_value(key, value,
                              fmt::format("a whole number from {} to {}", kShortestSilence.count(),
                                          kLongestSilence.count())));
    into = std::chrono::milliseconds(value.get<std::int64_t>());
    return {};
}

Result<void> set_path_member(PathReport& report, const std::string& key, const Json& value) {
    if (key == "survived_ms")
        return set_silence(report.survived, key, value);
    if (key == "died_ms")
        return set_silence(report.died, key, value);
    return fail(unknown_key(key, kPathForm));
}

} // namespace

Result<PathReport> parse_path_body(std::string_view body) {
    const auto json = parse_object(body, kPathForm);
    if (!json)
        return fail(json.error());
    PathReport report;
    for (const auto& [key, value] : json->items())
        if (auto set = set_path_member(report, key, value); !set)
            return fail(set.error());
    if (report.survived && report.died && *report.survived >= *report.died)
        return fail(Error(fmt::format("survived_ms, {}, is not below died_ms, {}",
                                      report.survived->count(), report.died->count())));
    return report;
}

} // namespace ballast::api

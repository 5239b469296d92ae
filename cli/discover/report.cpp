// SPDX-License-Identifier: Apache-2.0
#include "cli/discover/report.h"

#include <fmt/format.h>

#include "cli/human.h"

namespace ballast::cli {
namespace {

using discovery::Death;
using discovery::Discovered;
using discovery::Gap;

const char* outcome_text(const Session::Report& report) {
    if (report.interrupted)
        return "interrupted";
    switch (report.findings.state) {
    case Discovered::bracketed:
        return "bracketed";
    case Discovered::none_up_to_max:
        return "none_up_to_max";
    case Discovered::peer_closes:
        return "peer_closes";
    case Discovered::closes_at_once:
        return "closes_at_once";
    case Discovered::ends_at_will:
        return "ends_at_will";
    case Discovered::not_silent:
        return "not_silent";
    case Discovered::cannot_open:
    case Discovered::running:
        break;
    }
    return "cannot_open";
}

const char* death_text(Death death) {
    switch (death) {
    case Death::silently_dropped:
        return "silently_dropped";
    case Death::reset:
        return "reset";
    case Death::reset_unasked:
        break;
    }
    return "reset_unasked";
}

Json ms(const std::optional<Gap>& gap) {
    return gap ? Json(gap->count()) : Json(nullptr);
}

} // namespace

Json discover_document(const Measurement& measurement, const Session::Report& report) {
    const discovery::Findings& found = report.findings;
    return {{"schema", 1},
            {"kind", "discover"},
            {"destination", measurement.destination.text()},
            {"name", measurement.name.empty() ? Json(nullptr) : Json(measurement.name)},
            {"outcome", outcome_text(report)},
            {"survived_ms", ms(found.survived)},
            {"died_ms", ms(found.died)},
            {"death", found.died ? Json(death_text(found.death)) : Json(nullptr)},
            {"closes_after_ms", ms(found.closes_after)},
            {"elapsed_ms", report.elapsed.count()},
            {"opened", found.opened},
            {"connections", measurement.options.connections},
            {"max_ms", measurement.options.longest.count()},
            {"resolution_percent", measurement.options.resolution_percent},
            {"volleys_lost", found.volleys_lost},
            {"silences_broken", found.silences_broken},
            {"contradictions", found.contradictions},
            {"odd_ends", found.odd_ends}};
}

std::optional<Failure> failure_of(const Measurement& measurement, const Session::Report& report) {
    const std::string destination = measurement.destination.text();
    const auto failure = [](const std::string& what, std::string_view advice) {
        return Failure{exit_failed, Error(what).hint(advice)};
    };
    if (report.findings.state == Discovered::closes_at_once)
        return failure(
            fmt::format("{} closes connections after {}: nothing can be measured with it",
                        destination,
                        human_ms(report.findings.closes_after.value_or(Gap(0)).count())),
            "choose a server behind the same path that lets an unused connection be");
    if (report.findings.state == Discovered::ends_at_will)
        return failure(fmt::format("{} closed connections that had been silent for different times",
                                   destination),
                       "was it restarted? try again; or it closes what it likes when it likes");
    if (report.findings.state == Discovered::not_silent)
        return failure(fmt::format("connections to {} do not stay silent", destination),
                       "its server sends by itself, or keepalive runs on one of the two hosts");
    return std::nullopt;
}

} // namespace ballast::cli

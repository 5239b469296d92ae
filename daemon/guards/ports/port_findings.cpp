// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/port_findings.h"

#include <fmt/format.h>

namespace ballast::guards {

namespace {

using std::chrono::milliseconds;

std::string seconds_text(const std::optional<milliseconds>& time) {
    return time ? fmt::format("{}", time->count() / 1000) : "none";
}

std::string evidence_of(const PortRow& row) {
    return fmt::format("source={} used={} capacity={} time_wait={} fin_wait2={} established={} "
                       "close_wait={} opens_per_s={} knee_in_s={} wall_in_s={} confidence={} "
                       "poisoned={} reserved={} netns={}",
                       row.key.source.text(), row.used, row.capacity, row.time_wait, row.fin_wait2,
                       row.established, row.close_wait, row.opens_per_s, seconds_text(row.to_knee),
                       seconds_text(row.to_wall), ballast::name_of(row.confidence), row.poisoned,
                       row.reserved, row.key.netns);
}

} // namespace

void PortFindings::add(findings::Reason reason, const PortRow& row) {
    Finding made;
    made.reason = reason;
    made.destination = row.key.remote;
    made.evidence = evidence_of(row);
    made.netns = row.key.netns;
    if (const auto path = name_of(row.consumer); !path.empty())
        made.evidence += " consumer=" + path;
    add(std::move(made));
}

void PortFindings::add(Finding made) {
    if (findings_.size() >= most) {
        ++left_out_;
        return;
    }
    findings_.push_back(std::move(made));
}

} // namespace ballast::guards

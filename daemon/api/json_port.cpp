// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/json.h"
#include "daemon/api/json_values.h"
#include "daemon/model/columns/port.h"

namespace ballast::api {

namespace {

Json states_json(const std::array<std::uint64_t, kPortStates>& states) {
    Json json = Json::object();
    for (std::size_t i = 0; i < kPortStates; ++i)
        json[std::string(kPortStateNames.at(i))] = states.at(i);
    return json;
}

Json in_force_json(const std::array<std::uint64_t, kReliefs>& in_force) {
    Json json = Json::object();
    for (std::size_t i = 0; i < kReliefs; ++i)
        json[std::string(kReliefNames.at(i))] = in_force.at(i);
    return json;
}

} // namespace

Json encode_port(const PortRow& row) {
    return encode_row(row, kPortColumns);
}

Json encode_relief(const ReliefRow& row) {
    return {{"netns", row.netns},
            {"relief", name_of(row.relief)},
            {"source", row.remote ? Json(row.source.text()) : Json(nullptr)},
            {"endpoint", row.remote ? Json(row.remote->text()) : Json(nullptr)},
            {"age_ms", row.age.count()},
            {"uses", row.uses},
            {"missed", row.missed}};
}

Json encode_port_states(const std::vector<PortRow>& rows) {
    std::array<std::uint64_t, kPortStates> states{};
    for (const auto& row : rows)
        ++states.at(static_cast<std::size_t>(row.state));
    return states_json(states);
}

Json encode_ports(const PortsStatus& status) {
    using std::chrono::duration_cast;
    return {{"lacking", or_null(status.lacking)},
            {"passes", status.passes},
            {"failures", status.failures},
            {"last_cpu_us", duration_cast<std::chrono::microseconds>(status.last_cpu).count()},
            {"hastened", status.hastened},
            {"sockets", status.sockets},
            {"time_wait", status.time_wait},
            {"namespaces", status.spaces},
            {"tuples", status.tuples},
            {"least", status.least},
            {"left_out", status.left_out},
            {"torn", status.torn},
            {"unreadable", status.unreadable},
            {"full", status.full},
            {"states", states_json(status.states)},
            {"in_force", in_force_json(status.in_force)},
            {"flips", status.flips},
            {"withheld", status.withheld}};
}

} // namespace ballast::api

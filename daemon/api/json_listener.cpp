// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/json.h"
#include "daemon/api/json_values.h"
#include "daemon/model/columns/listener.h"

namespace ballast::api {

namespace {

Json states_json(const std::array<std::uint64_t, kListenerStates>& states) {
    Json json = Json::object();
    for (std::size_t i = 0; i < kListenerStates; ++i)
        json[std::string(kListenerStateNames.at(i))] = states.at(i);
    return json;
}

} // namespace

Json encode_listener(const ListenerRow& row) {
    return encode_row(row, kListenerColumns);
}

Json encode_ready(const Endpoint& endpoint, const std::optional<ReadyRow>& row) {
    Json json = envelope("ready");
    json["endpoint"] = endpoint.text();
    json["ready"] = row && row->is_ready;
    json["percent"] = row ? row->percent : 0;
    json["why"] = row ? or_null(row->why) : Json("nobody listens");
    return json;
}

Json encode_listener_states(const std::vector<ListenerRow>& rows) {
    std::array<std::uint64_t, kListenerStates> states{};
    for (const auto& row : rows)
        ++states.at(static_cast<std::size_t>(row.state));
    return states_json(states);
}

Json encode_listeners(const ListenersStatus& status) {
    using std::chrono::duration_cast;
    return {{"lacking", or_null(status.lacking)},
            {"passes", status.passes},
            {"failures", status.failures},
            {"last_cpu_us", duration_cast<std::chrono::microseconds>(status.last_cpu).count()},
            {"listeners", status.listeners},
            {"torn", status.torn},
            {"full", status.full},
            {"states", states_json(status.states)},
            {"overflows", status.overflows},
            {"closed_waiting", status.closed_waiting}};
}

} // namespace ballast::api

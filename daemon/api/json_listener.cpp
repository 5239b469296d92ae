// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/json.h"
#include "daemon/api/json_values.h"
#include "daemon/model/columns/listener.h"
#include "daemon/model/names.h"

namespace ballast::api {

namespace {

Json states_json(const std::array<std::uint64_t, kListenerStates>& states) {
    Json json = Json::object();
    for (std::size_t i = 0; i < kListenerStates; ++i)
        json[std::string(kListenerStateNames.at(i))] = states.at(i);
    return json;
}

Json encode_shed_row(const ShedRow& row) {
    Json json{{"name", row.rule.name},
              {"on", Json::array()},
              {"mode", name_of(row.mode)},
              {"action", kShedActionNames.at(static_cast<std::size_t>(row.rule.action))},
              {"admitted", row.counts.admitted},
              {"spared", row.counts.spared},
              {"shed", Json::object()},
              {"withheld", row.counts.withheld},
              {"undecided", row.counts.undecided},
              {"guessed", row.counts.guessed},
              {"unanswered", row.counts.unanswered}};
    for (const auto& on : row.rule.on)
        json["on"].push_back(on.text());
    for (std::size_t i = 0; i < kShedReasonNames.size(); ++i)
        json["shed"][std::string(kShedReasonNames.at(i))] = row.counts.shed.at(i);
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

Json encode_shed(const ShedTable& shed) {
    Json json{{"lacking", or_null(shed.lacking)},
              {"rules", Json::array()},
              {"devices", Json::array()},
              {"undecided", shed.undecided},
              {"reattached", shed.reattached}};
    for (const auto& row : shed.rows)
        json["rules"].push_back(encode_shed_row(row));
    for (const auto& device : shed.devices)
        json["devices"].push_back({{"name", device.name},
                                   {"kind", or_null(device.kind)},
                                   {"attached", device.is_attached},
                                   {"error", or_null(device.error)},
                                   {"chain", device.chain}});
    return json;
}

} // namespace ballast::api

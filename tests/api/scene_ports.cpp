// SPDX-License-Identifier: Apache-2.0
#include "tests/api/scenes.h"

namespace ballast::test {

namespace {

using namespace std::chrono_literals;

PortRow row(const char* source, const char* remote, PortState state, std::uint32_t used) {
    PortRow made;
    made.key = {4026531840, parse_address(source).value(), parse_endpoint(remote).value()};
    made.state = state;
    made.used = used;
    made.capacity = 28'232;
    made.low = 32768;
    made.high = 60999;
    return made;
}

PortRow exhausted() {
    auto made = row("10.0.0.2", "10.0.0.9:80", PortState::exhausted, 28'232);
    made.time_wait = 28'019;
    made.established = 213;
    made.opens_per_s = 467;
    made.to_knee = made.to_wall = 0ms;
    made.confidence = Confidence::high;
    made.next_end = 40ms;
    made.consumer = 4711;
    made.consumer_path = "/system.slice/checkout.service";
    return made;
}

PortRow past_the_knee() {
    auto made = row("10.0.0.2", "10.0.0.7:6379", PortState::knee, 14'201);
    made.time_wait = 201;
    made.fin_wait2 = 6;
    made.established = 13'994;
    made.opens_per_s = 4;
    made.to_knee = 0ms;
    made.confidence = Confidence::high;
    made.consumer = 4712;
    made.consumer_path = "/system.slice/cache-warmer.service";
    return made;
}

PortRow filling() {
    auto made = row("fd00::2", "[fd00::9]:443", PortState::filling, 9'000);
    made.close_wait = 8'800;
    made.established = 200;
    made.opens_per_s = 31;
    made.to_knee = 165s;
    made.confidence = Confidence::medium;
    return made;
}

PortRow poisoned() {
    auto made = row("10.0.0.2", "10.0.0.5:5432", PortState::poisoned, 40);
    made.established = 40;
    made.capacity = 24'000;
    made.poisoned = 4'232;
    return made;
}

PortRow well() {
    auto made = row("10.0.0.2", "10.0.0.5:5433", PortState::ok, 120);
    made.established = 20;
    made.time_wait = 100;
    made.opens_per_s = 2;
    return made;
}

} // namespace

PortTable scene_ports(Scene scene) {
    if (scene == Scene::empty)
        return {};
    if (scene != Scene::night)
        return {.rows = {well()}, .age = 1'200ms};
    return {.rows = {exhausted(), past_the_knee(), filling(), poisoned(), well()},
            .age = 400ms,
            .reliefs = {{.netns = 4026531840,
                         .relief = Relief::flip,
                         .source = {},
                         .remote = {},
                         .age = 130s,
                         .uses = 37,
                         .missed = 0},
                        {.netns = 4026531840,
                         .relief = Relief::own_range,
                         .source = parse_address("10.0.0.2").value(),
                         .remote = parse_endpoint("10.0.0.9:80").value(),
                         .age = 75s,
                         .uses = 31'204,
                         .missed = 2}}};
}

PortsStatus scene_ports_status(Scene scene) {
    PortsStatus status;
    const auto table = scene_ports(scene);
    status.passes = 900;
    status.last_cpu = 1'900us;
    for (const auto& row : table.rows) {
        ++status.states.at(static_cast<std::size_t>(row.state));
        status.sockets += row.used;
        status.time_wait += row.time_wait + row.fin_wait2;
    }
    status.spaces = 3;
    status.tuples = table.rows.size();
    for (const auto& relief : table.reliefs) {
        ++status.in_force.at(static_cast<std::size_t>(relief.relief));
        if (relief.relief == Relief::flip)
            status.flips += relief.uses;
    }
    return status;
}

} // namespace ballast::test

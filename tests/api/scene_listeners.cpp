// SPDX-License-Identifier: Apache-2.0
#include "tests/api/scenes.h"

namespace ballast::test {

namespace {

using namespace std::chrono_literals;

ListenerRow row(const char* local, ListenerState state, std::uint32_t depth, std::uint32_t limit) {
    ListenerRow made;
    made.netns = 4026531840;
    made.local = parse_endpoint(local).value();
    made.inode = 18'000 + made.local.port;
    made.state = state;
    made.depth = depth;
    made.limit = limit;
    made.high_water = depth;
    made.somaxconn = 4096;
    return made;
}

ListenerRow stuck() {
    auto made = row("0.0.0.0:8080", ListenerState::not_accepting, 17, 2048);
    made.oldest = made.stalled = 43s;
    made.consumer = 4720;
    made.consumer_path = "/system.slice/api.service";
    return made;
}

ListenerRow one_stuck() {
    auto made = row("[::]:443", ListenerState::one_stuck, 3, 511);
    made.is_dual = true;
    made.oldest = made.stalled = 8s;
    made.group_size = 4;
    made.consumer = 4721;
    made.consumer_path = "/system.slice/nginx.service";
    return made;
}

ListenerRow full() {
    auto made = row("10.0.0.2:5432", ListenerState::overflow, 129, 128);
    made.oldest = 2'310ms;
    made.stalled = 12ms;
    made.somaxconn = 128;
    made.overflows = 8'123;
    made.drops = 4;
    made.consumer = 4722;
    made.consumer_path = "/system.slice/postgresql@15-main.service";
    return made;
}

ListenerRow flooded() {
    auto made = row("10.0.0.2:25", ListenerState::flood, 0, 100);
    made.requests = 101;
    made.high_water = 9;
    made.drops = 12;
    return made;
}

ListenerRow served() {
    auto made = row("127.0.0.1:6379", ListenerState::ok, 0, 511);
    made.high_water = 3;
    made.consumer = 4723;
    made.consumer_path = "/system.slice/redis-server.service";
    return made;
}

} // namespace

ListenerTable scene_listeners(Scene scene) {
    if (scene == Scene::empty)
        return {};
    if (scene != Scene::night)
        return {.rows = {served()}, .age = 700ms};
    return {.rows = {stuck(), one_stuck(), full(), flooded(), served()}, .age = 300ms};
}

ListenersStatus scene_listeners_status(Scene scene) {
    ListenersStatus status;
    status.passes = 3'600;
    status.last_cpu = 410us;
    for (const auto& one : scene_listeners(scene).rows) {
        ++status.listeners;
        ++status.states.at(static_cast<std::size_t>(one.state));
        status.overflows += one.overflows;
    }
    return status;
}

ShedTable scene_shed(Scene scene) {
    if (scene != Scene::night)
        return {};
    ShedTable table;
    ShedRow api;
    api.rule.name = "api";
    api.rule.on = {parse_guarded("*:8080").value()};
    api.mode = Mode::enforce;
    api.counts = {.admitted = 48'210,
                  .spared = 36,
                  .shed = {12'904, 31, 0, 0},
                  .undecided = 2,
                  .withheld = 0,
                  .guessed = 0,
                  .unanswered = 0};
    ShedRow web;
    web.rule.name = "web";
    web.rule.on = {parse_guarded("10.0.0.2:443").value(),
                   parse_guarded("[2001:db8::2]:443").value()};
    web.mode = Mode::observe;
    web.counts.admitted = 910;
    web.counts.shed = {0, 7, 0, 0};
    web.counts.withheld = 7;
    table.rows = {api, web};
    table.devices = {
        {"eth0", "tcx", true, "", {"xdp:41", "tcx:cil_from_netdev", "tcx:ballast_shed"}},
        {"eth1", "tcx", false, "", {}}};
    table.undecided = 12;
    table.reattached = 1;
    return table;
}

} // namespace ballast::test

// SPDX-License-Identifier: Apache-2.0
// Promise: whatever changes the policy changes it for every guard at once, and an override for one
// endpoint takes nothing away from what governed it.
#include "tests/e2e/half_open_place.h"
#include "tests/harness/group.h"

#include <netinet/tcp.h>

namespace test_policy_in_force {

using namespace ballast;
using namespace ballast::test;

namespace {

std::string resets() {
    return flow_policy("mode = \"enforce\", action = \"reset\", reset_kinds = [\"path_down\"], "
                       "path_down_after = \"1s\"");
}

void limit(const Place& place, std::vector<std::string> words) {
    words.insert(words.begin(), "limit");
    place.scene.ballastd.json(words);
}

bool is_open(const Fd& socket) {
    return tcp_state(socket) == TCP_ESTABLISHED;
}

unsigned retransmits(const Fd& socket) {
    tcp_info info{};
    socklen_t length = sizeof(info);
    check(::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0, "TCP_INFO");
    return info.tcpi_retransmits;
}

/// A connection that the wall has forgotten and that has begun to retransmit.
Through& half_open(const Place& place) {
    auto& pair = through(place.wall, place.listener);
    let_idle(pair.client, {});
    say(pair.client);
    return pair;
}

/// More retransmissions than a verdict takes, and no verdict.
void check_left_alone(const Place& place, const Fd& socket) {
    live_until(
        {}, [&] { return retransmits(socket) >= 5 || !is_open(socket); }, "retransmissions");
    check(is_open(socket), "it is not reset");
    check_equal(place.scene.ballastd.status().at("half_open").at("reset").get<long>(), 0L,
                "resets");
}

/// By the next retransmission, or by a sweep where there have been many.
void await_reset(const Place& place, const Fd& socket) {
    sweep_until(
        place, [&] { return !is_open(socket); }, "the reset");
}

void off_by_override(const Family& family) {
    auto& place = make_place(family, resets());
    limit(place, {"set", "test", "--mode", "off"});
    auto& pair = half_open(place);
    check_left_alone(place, pair.client);
    limit(place, {"unset", "test"});
    await_reset(place, pair.client);
}

void off_for_a_time(const Family& family) {
    auto& place = make_place(family, resets());
    limit(place, {"set", "test", "--mode", "off", "--for", "1h"});
    auto& pair = half_open(place);
    check_left_alone(place, pair.client);
    limit(place, {"set", "test", "--mode", "off", "--for", "1s"});
    await_reset(place, pair.client);
}

void of_an_endpoint(const Family& family) {
    auto& place = make_place(family, resets());
    limit(place, {"set", place.listener.dest().text(), "--max", "50"});
    await_reset(place, half_open(place).client);
}

void an_endpoint_stays_enforced(const Family& family) {
    auto& scene = make_scene(policy({{.limit = 3, .mode = "enforce", .on_limit = "unreachable"}}));
    auto& listener = serve(scene, family);
    const auto dest = listener.dest();
    scene.ballastd.json({"limit", "set", dest.text(), "--max", "2"});
    open_connections(scene.link.client, dest, 2);
    check_errno(attempt(scene.link.client, dest).error, EHOSTUNREACH, "connection 3");
    scene.ballastd.json({"limit", "unset", dest.text()});
    check_errno(attempt(scene.link.client, dest).error, 0, "connection 3 after unset");
}

} // namespace

TEST_GROUP(policy_in_force) {
    return Suite()
        .each(walled_families, "mode off by an override ends resets until it is unset",
              off_by_override)
        .each(walled_families, "or until its time is over", off_for_a_time)
        .each(walled_families, "an endpoint's override keeps the action of its service",
              of_an_endpoint)
        .each(families, "and the mode, the limits and what is answered", an_endpoint_stays_enforced)
        .run_at_once("policy_in_force", 4);
}

} // namespace test_policy_in_force

// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/half_open_place.h"

#include <netinet/tcp.h>

namespace ballast::test {

using std::chrono::milliseconds;

namespace {

std::string from(const Fd& socket) {
    return local_text(socket) + "->";
}

} // namespace

std::string flow_policy(const std::string& half_open) {
    return policy({{.to = beyond_the_wall, .mode = "observe"}}) +
           (half_open.empty() ? "" : fmt::format("half_open = {{ {} }}\n", half_open));
}

Place& make_place(const Family& family, const std::string& policy_text) {
    auto& wall = make<Wall>();
    wall.stand(forget_after_s);
    auto& ballastd = start_ballastd(policy_text);
    return make<Place>(wall, Scene{wall.link(), ballastd}, listen(wall, family));
}

void sweep_until(const Place& place, const std::function<bool()>& holds, std::string_view what,
                 const Others& busy) {
    live_until(busy, place.scene.ballastd.sweeping(holds), what);
}

void converse(const Through& pair) {
    for (int i = 0; i < 20; ++i)
        check(exchange(pair), "it works");
}

Through& kept_alive_after(Place& place, int idle_s, int count) {
    auto& pair = through(place.wall, place.listener);
    converse(pair);
    set_option(pair.client, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
    set_option(pair.client, IPPROTO_TCP, TCP_KEEPINTVL, 1);
    set_option(pair.client, IPPROTO_TCP, TCP_KEEPCNT, count);
    set_option(pair.client, SOL_SOCKET, SO_KEEPALIVE, 1);
    return pair;
}

void let_idle(const Fd& socket, const Others& busy) {
    live_until(
        busy, [&] { return silent_ms(socket) > idle_ms; }, "silence");
}

std::vector<std::string> findings(const Place& place, const std::string& kind,
                                  const std::string& flow_part) {
    return log_lines(place.scene,
                     {"finding reason=half_open_flow", "kind=" + kind + " ", flow_part});
}

void await_kind(const Place& place, const std::string& kind, const Fd& socket, const Others& busy) {
    const auto began = Clock::now();
    live_until(
        busy, [&] { return !findings(place, kind, from(socket)).empty(); }, "finding " + kind);
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - began);
    note(fmt::format("{} after {} ms: {}", kind, took.count(),
                     findings(place, kind, from(socket)).front()));
}

void sweep_for_kind(const Place& place, const std::string& kind, const Fd& socket,
                    const Others& busy) {
    sweep_until(
        place, [&] { return !findings(place, kind, from(socket)).empty(); }, "finding " + kind,
        busy);
    note(findings(place, kind, from(socket)).front());
}

void check_none(const Place& place, const std::string& kind) {
    for (const auto& line : findings(place, kind))
        fail_test("told in error: " + line);
}

bool is_calm(const Place& place) {
    return place.scene.ballastd.status().at("half_open").at("suspects").get<long>() == 0;
}

} // namespace ballast::test

// SPDX-License-Identifier: Apache-2.0
// Promise: a connection whose packets no longer reach the peer is found, on either side, whichever
// program made it and when, and classified: silently dropped, path down, peer hung, refused late.
// Lossy paths and outages drop nothing.
#include "tests/e2e/half_open_matrix.h"
#include "tests/harness/group.h"

#include <array>
#include <cstdlib>
#include <utility>

namespace test_half_open {

using namespace ballast;
using namespace ballast::test;

namespace {

void finds_it_on_the_server(const Family& family) {
    auto& place = make_place(family);
    auto& idle = through(place.wall, place.listener);
    auto& busy = through(place.wall, place.listener);
    let_idle(idle.server, {&busy});
    say(idle.server);
    await_kind(place, "client_silent", idle.server, {&busy});
    check(findings(place, "client_silent").front().find("side=server") != std::string::npos,
          "the side is named");
}

void finds_it_on_connections_older_than_itself(const Family& family) {
    auto& wall = make<Wall>();
    wall.stand(never_forget_s);
    auto& ballastd = make<Ballastd>(flow_policy());
    auto& listener = listen(wall, family);
    auto& place = make<Place>(wall, Scene{wall.link(), ballastd}, listener);
    auto& idle = through(wall, listener);
    auto& busy = through(wall, listener);
    ballastd.start();
    wall.stand(forget_after_s);
    check(exchange(idle) && exchange(busy), "both live"); // and are forgotten that soon from now on
    let_idle(idle.client, {&busy});
    say(idle.client);
    await_kind(place, "silently_dropped", idle.client, {&busy});
}

void finds_it_by_a_fresh_connect(const Family& family) {
    auto& place = make_place(family, flow_policy("witness = \"connect\""));
    auto& idle = through(place.wall, place.listener);
    let_idle(idle.client, {});
    say(idle.client);
    await_kind(place, "silently_dropped", idle.client);
    check(findings(place, "silently_dropped").front().find("fresh_connect=answered") !=
              std::string::npos,
          "the witness is named");
}

/// Connections used in turn, so that at any time some were last heard from a while ago: those show
/// whether a peer was alive just before a flow ended.
class InTurns {
public:
    explicit InTurns(Place& place) {
        for (auto& pair : pairs_)
            pair = &through(place.wall, place.listener);
    }

    void go_on() {
        const auto turn = (Clock::now() - began_) / std::chrono::milliseconds(300);
        if (std::exchange(last_, turn) != turn)
            check(exchange(*pairs_.at(static_cast<std::size_t>(turn) % pairs_.size())),
                  "the other connections live");
    }

private:
    std::array<const Through*, 3> pairs_{};
    Clock::time_point began_ = Clock::now();
    Clock::rep last_ = -1;
};

/// Three that end in turn: some hosts' kernels run no program in some interrupts, and an end in one
/// of these is missed (the next sweep reports drift).
void finds_readers_that_their_keepalive_ended(const Family& family) {
    auto& place = make_place(family);
    for (int idle_s = 4; idle_s < 7; ++idle_s)
        kept_alive_after(place, idle_s, 2);
    InTurns others(place);
    const auto holds = [&] {
        others.go_on();
        return !findings(place, "silently_dropped").empty();
    };
    check(wait_until(holds, patience(std::chrono::seconds(40))), "a finding");
    check(findings(place, "silently_dropped").front().find("ended=ETIMEDOUT") != std::string::npos,
          "how it ended");
}

void finds_readers_while_their_keepalive_tries(const Family& family) {
    auto& place = make_place(family);
    auto& idle = kept_alive_after(place, 4, 60);
    auto& busy = through(place.wall, place.listener);
    sweep_for_kind(place, "silently_dropped", idle.client, {&busy});
    const auto line = findings(place, "silently_dropped").front();
    check(line.find("in_flight=0") != std::string::npos, "evidence in: " + line);
    check(line.find("ended=") == std::string::npos, "before its end: " + line);
}

void tells_a_path_that_is_down(const Family& family) {
    auto& place = make_place(family);
    auto& one = through(place.wall, place.listener);
    auto& other = through(place.wall, place.listener);
    let_idle(one.client, {&other});
    place.wall.shut();
    say(one.client);
    say(other.client);
    await_kind(place, "path_down", one.client);
    check_none(place, "silently_dropped");
}

void leaves_alone_what_is_off(const Family& family) {
    auto& place = make_place(family, flow_policy("mode = \"off\""));
    auto& idle = through(place.wall, place.listener);
    auto& busy = through(place.wall, place.listener);
    let_idle(idle.client, {&busy});
    say(idle.client);
    const auto began = Clock::now();
    live_until(
        {&busy}, [&] { return Clock::now() - began > found_within; }, "the usual time");
    check_none(place, "silently_dropped");
}

/// Emulated processors have less to spare for cases that wait.
unsigned at_once() {
    return std::getenv("BALLAST_VM") ? 6 : 8;
}

} // namespace

/// Those that take longest begin first.
TEST_GROUP(half_open) {
    Suite suite;
    add_matrix(suite);
    return suite.each(walled_families, "finds it on the server's side", finds_it_on_the_server)
        .each(walled_families, "finds it on connections older than itself",
              finds_it_on_connections_older_than_itself)
        .each(walled_families, "finds it by a fresh connect", finds_it_by_a_fresh_connect)
        .each(walled_families, "finds readers that their keepalive ended",
              finds_readers_that_their_keepalive_ended)
        .each(walled_families, "finds readers while their keepalive tries",
              finds_readers_while_their_keepalive_tries)
        .each(walled_families, "tells a path that is down", tells_a_path_that_is_down)
        .each(walled_families, "leaves alone what is off", leaves_alone_what_is_off)
        .run_at_once("half_open", at_once());
}

} // namespace test_half_open

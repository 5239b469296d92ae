// SPDX-License-Identifier: Apache-2.0
// Promise: with action = "reset" a process that waits in a half-open connection gets an error
// promptly, and no other does; where the guard or the governor may not, nothing is done and the
// finding says why. They say nothing to the breaker of a destination that answers fresh connects.
#include "tests/e2e/half_open_place.h"
#include "tests/harness/group.h"

#include <netinet/tcp.h>

namespace test_half_open_reset {

using namespace ballast;
using namespace ballast::test;

namespace {

std::string reset_policy(const std::string& more = {}, const std::string& mode = "enforce") {
    return flow_policy(fmt::format("mode = \"{}\", action = \"reset\"", mode)) + more;
}

constexpr const char* dead_paths = "mode = \"enforce\", action = \"reset\", reset_kinds = "
                                   "[\"path_down\"], path_down_after = \"1s\"";

long count_of(const Place& place, const std::string& key) {
    return place.scene.ballastd.status().at("half_open").at(key).get<long>();
}

bool is_open(const Fd& socket) {
    return tcp_state(socket) == TCP_ESTABLISHED;
}

/// A program that asks and waits for the answer; ends with the errno that it got.
int ask_and_wait(int socket) {
    char byte = 'x';
    ::send(socket, &byte, 1, MSG_NOSIGNAL);
    return ::recv(socket, &byte, 1, 0) < 0 ? errno : 0;
}

/// Large segments have passed before, so that their loss is not taken for their size.
void send_much(const Through& pair) {
    constexpr std::size_t most = 1 << 18;
    std::string some(1 << 14, 'x');
    std::size_t sent = 0;
    std::size_t taken = 0;
    await(
        [&] {
            const auto size = std::min(some.size(), most - sent);
            const auto out = ::send(pair.client.get(), some.data(), size, MSG_DONTWAIT);
            sent += out > 0 ? static_cast<std::size_t>(out) : 0;
            const auto in = ::recv(pair.server.get(), some.data(), some.size(), MSG_DONTWAIT);
            taken += in > 0 ? static_cast<std::size_t>(in) : 0;
            return taken == most;
        },
        "much to be sent");
}

/// A program that writes until it cannot.
int write_on(int socket) {
    const std::string much(1 << 16, 'x');
    while (::send(socket, much.data(), much.size(), MSG_NOSIGNAL) > 0) {
    }
    return errno;
}

void frees_who_waits(const Family& family, int (*program)(int)) {
    auto& place = make_place(family, reset_policy());
    auto& idle = through(place.wall, place.listener);
    auto& busy = through(place.wall, place.listener);
    send_much(idle);
    let_idle(idle.client, {&busy});
    auto& waiting = make<Process>();
    const auto began = Clock::now();
    waiting.fork([&] { return program(idle.client.get()); });
    std::optional<int> status;
    live_until(
        {&busy}, [&] { return (status = waiting.wait(std::chrono::milliseconds(0))).has_value(); },
        "the program to be freed");
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
    note(fmt::format("freed after {} ms", took.count()));
    check_errno(*status, ECONNABORTED, "what it got");
    live_until(
        {&busy}, [&] { return !findings(place, "silently_dropped").empty(); }, "the finding");
    check(findings(place, "silently_dropped").front().find(" act=reset ") != std::string::npos,
          "the finding says what was done");
    check_equal(count_of(place, "reset"), 1L, "resets");
    check(exchange(busy) && is_open(busy.client), "the neighbour is unhurt");
}

void frees_a_reader(const Family& family) {
    frees_who_waits(family, ask_and_wait);
}

void frees_a_writer(const Family& family) {
    frees_who_waits(family, write_on);
}

/// Reads only: nothing but its keepalive can detect it.
void frees_a_reader_that_never_writes(const Family& family) {
    auto& place = make_place(family, reset_policy());
    auto& idle = kept_alive_after(place, 4, 60);
    auto& busy = through(place.wall, place.listener);
    auto& waiting = make<Process>();
    waiting.fork([&] {
        char byte = 0;
        return ::recv(idle.client.get(), &byte, 1, 0) < 0 ? errno : 0;
    });
    std::optional<int> status;
    sweep_until(place,
                [&] { return (status = waiting.wait(std::chrono::milliseconds(0))).has_value(); },
                "the program to be freed", {&busy});
    check_errno(*status, ECONNABORTED, "what it got");
    check(exchange(busy) && is_open(busy.client), "the neighbour is unhurt");
}

void resets_a_dead_path(const Family& family) {
    auto& place = make_place(family, flow_policy(dead_paths));
    auto& pair = through(place.wall, place.listener);
    let_idle(pair.client, {});
    place.wall.shut();
    say(pair.client);
    await_kind(place, "path_down", pair.client);
    live_until(
        {}, [&] { return !is_open(pair.client); }, "the reset");
    live_until(
        {},
        [&] {
            return !log_lines(place.scene, {"half_open_flow_reset", "act=reset"}).empty();
        },
        "what became of it");
}

void resets_a_hung_peer(const Family& family) {
    auto& place = make_place(family, flow_policy("mode = \"enforce\", action = \"reset\", "
                                                 "reset_kinds = [\"peer_hung\"], "
                                                 "response_timeout = \"2s\""));
    place.wall.stand(never_forget_s);
    auto& pair = through(place.wall, place.listener);
    await([&] { return silent_ms(pair.client) > 20; }, "a moment");
    say(pair.client);
    sweep_for_kind(place, "peer_hung", pair.client);
    check(!is_open(pair.client), "it was reset");
}

/// The finding comes, with that reason, and the connection stays.
void leaves_it_be(const Family& family, const std::string& policy_text, const std::string& why,
                  bool is_disarmed = false) {
    auto& place = make_place(family, policy_text);
    if (is_disarmed)
        check_equal(place.scene.ballastd.cli({"disarm"}).status, 0, "ballast disarm");
    auto& idle = through(place.wall, place.listener);
    auto& busy = through(place.wall, place.listener);
    let_idle(idle.client, {&busy});
    say(idle.client);
    await_kind(place, "silently_dropped", idle.client, {&busy});
    check(findings(place, "silently_dropped").front().find(why) != std::string::npos, why);
    check_equal(count_of(place, "reset"), 0L, "resets");
    check(is_open(idle.client), "nothing is done");
}

void observes_only(const Family& family) {
    leaves_it_be(family, reset_policy("", "observe"), "act=none why=observe");
}

void does_nothing_in_a_dry_run(const Family& family) {
    leaves_it_be(family, reset_policy("[governor]\ndry_run = true\n"), "act=none why=dry_run");
}

void does_nothing_while_disarmed(const Family& family) {
    leaves_it_be(family, reset_policy(), "act=none why=observe", true);
}

/// Six destinations, and nothing comes from any of them: it is the host that is cut off.
void destroys_nothing_when_most_fail_at_once(const Family& family) {
    auto& place = make_place(family, flow_policy(dead_paths));
    place.wall.stand(never_forget_s);
    std::vector<Through*> pairs;
    for (int i = 0; i < 6; ++i)
        pairs.push_back(&through(place.wall, listen(place.wall, family)));
    let_idle(pairs.back()->client, {});
    place.wall.shut();
    for (const auto* pair : pairs)
        say(pair->client);
    live_until(
        {}, [&] { return count_of(place, "path_down") == 6; }, "six findings");
    live_until(
        {}, [&] { return silent_ms(pairs.front()->client) > 2 * idle_ms; }, "a while");
    check_equal(count_of(place, "reset"), 0L, "resets");
    check_equal(count_of(place, "reset_waiting"), 6L, "resets that are held back");
    place.wall.open();
    live_until(
        {}, [&] { return count_of(place, "cleared") == 6; }, "all to recover");
    for (const auto* pair : pairs)
        check(is_open(pair->client), "nobody was reset");
}

void leaves_the_breaker_closed(const Family& family) {
    auto& place = make_place(
        family, policy({{.to = beyond_the_wall, .limit = 100, .on_limit = "unreachable"}}) +
                    "breaker = { mode = \"enforce\", half_open_flow = 2 }\n");
    auto& busy = through(place.wall, place.listener);
    std::vector<Through*> idle;
    for (int i = 0; i < 2; ++i)
        idle.push_back(&through(place.wall, place.listener));
    let_idle(idle.back()->client, {&busy});
    for (const auto* pair : idle)
        say(pair->client);
    live_until(
        {&busy}, [&] { return count_of(place, "silently_dropped") >= 2; }, "both to be found");
    check_errno(error_of(place.scene, place.listener.dest()), 0, "a connect()");
    check(log_lines(place.scene, {"breaker_opened"}).empty(), "no breaker opens");
    check(is_open(idle.front()->client), "the action is to report");
}

} // namespace

TEST_GROUP(half_open_reset) {
    return Suite()
        .host_each(walled_families, "destroys nothing when most fail at once",
                   destroys_nothing_when_most_fail_at_once)
        .each(walled_families, "frees a reader", frees_a_reader)
        .each(walled_families, "frees a writer", frees_a_writer)
        .each(walled_families, "frees a reader that never writes", frees_a_reader_that_never_writes)
        .each(walled_families, "resets a dead path", resets_a_dead_path)
        .each(walled_families, "resets a hung peer", resets_a_hung_peer)
        .host_each(walled_families, "observes only", observes_only)
        .host_each(walled_families, "does nothing in a dry run", does_nothing_in_a_dry_run)
        .host_each(walled_families, "does nothing while disarmed", does_nothing_while_disarmed)
        .host_each(walled_families, "leaves the breaker closed", leaves_the_breaker_closed)
        .run_at_once("half_open_reset", 6);
}

} // namespace test_half_open_reset

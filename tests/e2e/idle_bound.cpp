// SPDX-License-Identifier: Apache-2.0
// Promise: keepalive `auto` learns from ordinary traffic how long a path tolerates silence. What
// one connection was lost for keeps the others alive, new ones and older ones, over restarts too;
// and those to its neighbours, where the policy says that they share the path.
#include "tests/e2e/kept_alive.h"
#include "tests/e2e/walled.h"
#include "tests/harness/group.h"

#include <poll.h>

namespace test_idle_bound {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr int forget_after_s = 6;
constexpr long lost_after_ms = 9000;
constexpr long twice_ms = 13'000;

std::string learning_policy(const std::string& keepalive) {
    return policy({{.to = beyond_the_wall, .mode = "observe"}}) +
           fmt::format("[service.keepalive]\n{}\n", keepalive);
}

struct Place {
    Wall& wall;
    Ballastd& ballastd;
    Listener& listener;
};

Place make_place(const Family& family, const std::string& keepalive) {
    auto& wall = make<Wall>();
    wall.stand(forget_after_s);
    auto& ballastd = start_ballastd(learning_policy(keepalive));
    return {wall, ballastd, listen(wall, family)};
}

/// Nobody writes for longer than the firewall remembers.
void stay_idle(const std::vector<const Through*>& idle) {
    const auto began = Clock::now();
    await([&] { return Clock::now() - began > std::chrono::milliseconds(twice_ms); },
          "two periods of the firewall");
    for (const auto* pair : idle)
        check(exchange(*pair), "it was kept alive");
}

/// A connection goes idle, is forgotten, and its next write is lost.
void lose_one(const Place& place, const std::vector<const Through*>& busy) {
    auto& lost = through(place.wall, place.listener);
    // what no sweep saw idle, nothing is learned of
    live_until(busy,
               place.ballastd.sweeping([&] { return silent_ms(lost.client) > lost_after_ms; }),
               "silence");
    say(lost.client);
    live_until(
        busy,
        [&] { return place.ballastd.log().find("kind=silently_dropped") != std::string::npos; },
        "the finding");
}

/// The connection lives on until its keepalive heeds what the firewall tolerates.
void await_known(const Place& place, const Through& pair, std::string_view what) {
    live_until({&pair}, place.ballastd.sweeping([&] {
        return keepalive_of(pair.client).idle_s < forget_after_s;
    }),
               what);
}

void learns_from_the_first_drop(const Family& family) {
    const auto place = make_place(family, "mode = \"enforce\"");
    const auto& older = through(place.wall, place.listener);
    check_ballasts(keepalive_of(older.client), 60, "nothing is known yet");
    lose_one(place, {&older});
    await_known(place, older, "the bound to be learned");
    const auto& newer = through(place.wall, place.listener);
    place.ballastd.sweep();
    note("older: " + keepalive_of(older.client).text());
    note("newer: " + keepalive_of(newer.client).text());
    stay_idle({&older, &newer});
    place.ballastd.json({"unload"}); // or the programs would know
    check_equal(place.ballastd.wait_exit(), 0, "exit status of the unloaded daemon");
    place.ballastd.start();
    const auto& last = through(place.wall, place.listener);
    place.ballastd.sweep();
    place.ballastd.sweep();
    check(keepalive_of(last.client).idle_s < forget_after_s, "known after a restart");
    stay_idle({&last});
}

void tells_a_drop_from_an_outage(const Family& family) {
    const auto place = make_place(family, "mode = \"enforce\"");
    const auto& pair = through(place.wall, place.listener);
    await([&] { return silent_ms(pair.client) > 3000; }, "silence that the firewall tolerates");
    place.wall.shut();
    say(pair.client);
    const auto began = Clock::now();
    await([&] { return Clock::now() - began > std::chrono::seconds(2); }, "two seconds");
    place.wall.open();
    check(wait_fd(pair.server.get(), POLLIN, Clock::now() + patience()), "it arrives late");
    live_until(
        {}, [&] { return Clock::now() - began > std::chrono::seconds(35); }, "the verdict's time");
    check_ballasts(keepalive_of(pair.client), 60, "nothing was learned from it");
}

/// Without a probe of Ballast's or of anyone else's.
void learns_from_silences_lived_through(const Family& family) {
    const auto place = make_place(family, "mode = \"observe\"");
    constexpr long least_ms = 8000;
    constexpr long margin_ms = 500; // a bound fades from the moment it is learned
    place.wall.stand(100'000);
    const auto& idle = through(place.wall, place.listener);
    await([&] { return silent_ms(idle.client) > least_ms; }, "silence");
    place.ballastd.sweep(); // slow machines make few of their own
    check(place.ballastd.row(place.listener.dest(), "test").at("idle_survived_ms").is_null(),
          "nothing is known while it lasts");
    const long silent = silent_ms(idle.client);
    check(exchange(idle), "the connection lives");
    const auto known = [&] {
        const auto row = place.ballastd.row(place.listener.dest(), "test");
        return row.at("idle_survived_ms").is_null() ? 0L : row.at("idle_survived_ms").get<long>();
    };
    await(place.ballastd.sweeping([&] { return known() != 0; }), "it to be learned");
    note(fmt::format("survived {} ms", known()));
    check(known() > least_ms - margin_ms && known() < silent + margin_ms,
          fmt::format("as long as it was silent, {} ms", silent));
}

/// Another host behind the firewall, with a server on the same port.
Listener& neighbour(const Place& place, const std::string& host) {
    const auto port = place.listener.dest().port;
    const Dest dest{(place.listener.dest().v4() ? "10.79.0." : "fd79::") + host, port};
    place.wall.link().server.ip(
        {fmt::format("addr add {}/{} dev s0", dest.host, dest.v4() ? "24" : "64 nodad")});
    return listen(place.wall, dest);
}

/// The idle time that lost its neighbour's connection keeps it alive before it was ever idle.
void check_neighbour(const Place& place, Listener& neighbour, const std::string& prefix) {
    const auto& pair = through(place.wall, neighbour);
    await_known(place, pair, "the neighbour's bound to be heeded");
    const auto row = place.ballastd.row(neighbour.dest(), "test");
    check_equal(row.at("idle_learned_in").dump(), prefix, "whose connections showed it");
    check(!row.at("idle_died_ms").is_null(), "a drop is known");
    stay_idle({&pair});
}

void neighbours_learn_from_each_other(const Family& family) {
    const auto place = make_place(family, "mode = \"enforce\"\nlearn_prefix_ipv4 = 24\n"
                                          "learn_prefix_ipv6 = 64");
    const std::string prefix = family.domain == AF_INET ? "\"10.79.0.0/24\"" : "\"fd79::/64\"";
    const auto& older = through(place.wall, place.listener);
    lose_one(place, {&older});
    await_known(place, older, "the bound to be learned");
    check(place.ballastd.row(place.listener.dest(), "test").at("idle_learned_in").is_null(),
          "its own connection showed it");
    check_neighbour(place, neighbour(place, "3"), prefix);
    place.ballastd.json({"unload"}); // or the programs would know
    check_equal(place.ballastd.wait_exit(), 0, "exit status of the unloaded daemon");
    place.ballastd.start();
    auto& last = neighbour(place, "4");
    check_neighbour(place, last, prefix);
    place.ballastd.enforce(learning_policy("mode = \"enforce\""));
    check(place.ballastd.row(last.dest(), "test").at("idle_died_ms").is_null(), "by itself");
    const auto& lost = through(place.wall, last);
    check_ballasts(keepalive_of(lost.client), 60, "by itself it knows of no drop");
    live_until(
        {}, [&] { return silent_ms(lost.client) > lost_after_ms; }, "silence");
    check(!exchange(lost, 3000), "which the firewall does not tolerate");
}

} // namespace

TEST_GROUP(idle_bound) {
    return Suite()
        .each(walled_families, "learns from the first drop", learns_from_the_first_drop)
        .each(walled_families, "learns from silences lived through",
              learns_from_silences_lived_through)
        .each(walled_families, "neighbours learn from each other", neighbours_learn_from_each_other)
        .each(walled_families, "tells a drop from an outage", tells_a_drop_from_an_outage)
        .run_at_once("idle_bound", 6);
}

} // namespace test_idle_bound

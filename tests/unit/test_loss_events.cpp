// SPDX-License-Identifier: Apache-2.0
// daemon/guards/keepalive/loss_events: idle flows that die one by one are taught as a timeout; a
// lost table, a dead backend, a fail-over and a restart are not.
#include <algorithm>

#include "daemon/guards/keepalive/loss_events.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_loss_events {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using guards::LossEvents;
using Gap = LossEvents::Gap;
using Monotonic = LossEvents::Monotonic;

constexpr Monotonic start{10h};

PathPlace place(std::uint16_t port = 5432) {
    return {Endpoint{*parse_address("10.0.0.5"), port}};
}

struct World {
    LossEvents events;
    Monotonic now = start;
    std::uint64_t next = 1;

    /// One found dead now, which was silent for `gap` and has tried for a second and a half.
    std::uint64_t dies(Gap gap, bool is_final = true) {
        const auto tried = now - 1500ms;
        events.died(place(),
                    {.cookie = next,
                     .gap = gap,
                     .silent_since = tried - gap,
                     .tried = now,
                     .is_final = is_final},
                    now);
        return next++;
    }
    /// One that is older than an hour, and heard of now.
    void lives(Gap gap) { events.lived(place().own, {.gap = gap, .born = now - 1h, .heard = now}); }
    void pass(Gap time) { now += time; }
    /// What is taught within `time`, in seconds.
    std::vector<long> taught(Gap time) {
        pass(time);
        std::vector<long> seconds;
        for (const auto& lesson : events.settle(now))
            seconds.push_back(std::chrono::duration_cast<std::chrono::seconds>(lesson.gap).count());
        std::ranges::sort(seconds);
        return seconds;
    }
    bool teaches_nothing(Gap time) { return taught(time).empty(); }
};

using Seconds = std::vector<long>;

void a_single_idle_flow_teaches(void**) {
    World world;
    world.dies(40s);
    assert_true(world.teaches_nothing(4s));
    assert_true(world.taught(1s) == Seconds{40});
    assert_true(world.teaches_nothing(60s));
}

void one_that_may_come_back_has_to_wait(void**) {
    World world;
    const auto flow = world.dies(40s, false);
    assert_true(world.teaches_nothing(29s));
    world.events.acquit(flow);
    assert_true(world.teaches_nothing(60s));
    world.dies(40s, false);
    assert_true(world.taught(30s) == Seconds{40});
}

/// As ten clients behind a path that answers late packets with RST.
void flows_of_one_silence_teach_in_one_round(void**) {
    World world;
    for (int i = 0; i < 10; ++i)
        world.dies(12s);
    assert_true(world.taught(5s) == Seconds(10, 12));
}

/// A firewall loses its table: seen, 2.1 s were learned.
void a_lost_table_teaches_nothing(void**) {
    World world;
    for (const Gap gap : std::initializer_list<Gap>{2100ms, 5s, 9s, 14s, 20s, 40s})
        world.dies(gap);
    assert_true(world.teaches_nothing(5s));
    assert_true(world.teaches_nothing(10min));
}

void nor_does_one_where_flows_in_use_died_too(void**) {
    World world;
    for (int i = 0; i < 5; ++i)
        world.dies(30s);
    world.dies(0s);
    assert_true(world.teaches_nothing(5s));
    world.dies(35s); // and who notices later
    assert_true(world.teaches_nothing(60s));
}

/// One of two backends behind a virtual address.
void nor_does_a_dead_backend(void**) {
    World world;
    for (int i = 0; i < 5; ++i)
        world.dies(30s);
    world.pass(3s);
    for (int i = 0; i < 5; ++i)
        world.lives(30s); // at the other one
    assert_true(world.teaches_nothing(2s));
    assert_true(world.teaches_nothing(5min));
}

void idle_ones_that_die_while_others_live_teach(void**) {
    World world;
    for (const Gap gap : std::initializer_list<Gap>{31s, 50s, 90s, 200s})
        world.dies(gap);
    world.pass(2s);
    world.lives(0s);
    world.lives(8s);
    const Seconds wanted{31, 50, 90, 200};
    assert_true(world.taught(3s) == wanted);
}

/// A flow that reconnected shows that the destination is there, not that a table was kept.
void young_flows_show_nothing(void**) {
    World world;
    for (const Gap gap : std::initializer_list<Gap>{31s, 50s, 90s, 200s})
        world.dies(gap);
    world.pass(2s);
    world.events.lived(place().own, {.gap = 0s, .born = world.now, .heard = world.now});
    assert_true(world.teaches_nothing(3s));
}

/// No single instant explains both.
void a_second_event_teaches(void**) {
    World world;
    for (const Gap gap : std::initializer_list<Gap>{31s, 90s})
        world.dies(gap);
    assert_true(world.teaches_nothing(5min));
    for (const Gap gap : std::initializer_list<Gap>{33s, 95s})
        world.dies(gap);
    const Seconds wanted{33, 95};
    assert_true(world.taught(5s) == wanted);
}

void an_event_is_remembered_for_an_hour(void**) {
    World world;
    for (const Gap gap : std::initializer_list<Gap>{31s, 90s})
        world.dies(gap);
    assert_true(world.teaches_nothing(61min));
    for (const Gap gap : std::initializer_list<Gap>{33s, 95s})
        world.dies(gap);
    assert_true(world.teaches_nothing(5min));
}

/// Each client connects again at once, and its next connection dies before the first is certain.
void a_death_is_not_lost_when_another_event_begins(void**) {
    World world;
    world.dies(12s, false);
    world.pass(14s);
    world.dies(12s, false);
    assert_true(world.taught(16s) == Seconds{12});
    assert_true(world.taught(14s) == Seconds{12});
}

void each_flow_counts_once(void**) {
    World world;
    world.dies(40s);
    world.next = 1;
    world.dies(20s);
    assert_true(world.taught(5s) == Seconds{40});
}

void nothing_is_learned_across_a_sleep(void**) {
    World world;
    world.dies(40s);
    world.events.forget();
    assert_true(world.teaches_nothing(60s));
}

void deaths_are_bounded(void**) {
    World world;
    for (std::size_t i = 0; i <= LossEvents::most_deaths; ++i)
        world.dies(40s);
    assert_int_equal(world.events.table_full(), 1);
    assert_int_equal(world.taught(5s).size(), LossEvents::most_deaths);
    for (std::size_t i = 1; i <= LossEvents::most_paths; ++i)
        world.events.died(place(static_cast<std::uint16_t>(i == 5432 ? 0 : i)),
                          {.cookie = 100'000 + i,
                           .gap = 40s,
                           .silent_since = world.now - 40s,
                           .tried = world.now,
                           .is_final = true},
                          world.now);
    assert_int_equal(world.events.table_full(), 2);
}

} // namespace

TEST_GROUP(loss_events) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_single_idle_flow_teaches),
        cmocka_unit_test(one_that_may_come_back_has_to_wait),
        cmocka_unit_test(flows_of_one_silence_teach_in_one_round),
        cmocka_unit_test(a_lost_table_teaches_nothing),
        cmocka_unit_test(nor_does_one_where_flows_in_use_died_too),
        cmocka_unit_test(nor_does_a_dead_backend),
        cmocka_unit_test(idle_ones_that_die_while_others_live_teach),
        cmocka_unit_test(young_flows_show_nothing),
        cmocka_unit_test(a_second_event_teaches),
        cmocka_unit_test(an_event_is_remembered_for_an_hour),
        cmocka_unit_test(a_death_is_not_lost_when_another_event_begins),
        cmocka_unit_test(each_flow_counts_once),
        cmocka_unit_test(nothing_is_learned_across_a_sleep),
        cmocka_unit_test(deaths_are_bounded),
    };
    return cmocka_run_group_tests_name("loss_events", tests, nullptr, nullptr);
}

} // namespace test_loss_events

// SPDX-License-Identifier: Apache-2.0
// daemon/guards/gap_watch: what silences flows live through, by looks of sweeps.
#include "daemon/guards/keepalive/gap_watch.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_gap_watch {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using guards::GapWatch;
using Gap = GapWatch::Gap;

/// A flow whose packets go at times of its own, and a sweep every few seconds.
struct World {
    GapWatch watch;
    GapWatch::Monotonic now{1h};
    GapWatch::Monotonic heard = now;
    GapWatch::Monotonic sent = now;
    std::uint32_t in = 10;
    std::uint32_t out = 10;
    bool is_trying = false;

    void pass(Gap time) { now += time; }
    void receives() {
        ++in;
        heard = now;
    }
    void sends() {
        ++out;
        sent = now;
    }
    /// The kernel does not count it as data sent.
    void probes() { ++out; }
    std::optional<Gap> look() {
        const auto since = [&](auto time) { return std::chrono::duration_cast<Gap>(now - time); };
        return watch.on_flow({.cookie = 1,
                              .heard = since(heard),
                              .quiet = since(std::max(heard, sent)),
                              .packets_in = in,
                              .packets_out = out,
                              .is_trying = is_trying},
                             now);
    }
};

void a_probe_shows_the_whole_silence(void**) {
    World world;
    world.pass(20s);
    assert_false(world.look().has_value());
    world.pass(40s);
    world.probes();
    world.receives();
    world.pass(3s);
    const auto gap = world.look();
    assert_true(gap == 60s);
    assert_false(world.look().has_value());
}

void more_than_a_probe_shows_what_was_seen(void**) {
    World world;
    world.pass(20s);
    world.look();
    world.pass(15s);
    world.look();
    world.pass(25s);
    world.sends();
    world.receives();
    world.pass(1s);
    world.sends();
    world.receives();
    assert_true(world.look() == 35s); // as long as it was silent at the second look
}

void flows_older_than_the_watch_show_theirs(void**) {
    World world;
    world.pass(300s);
    assert_false(world.look().has_value());
    world.sends();
    world.receives();
    world.pass(1s);
    assert_true(world.look() == 300s);
}

void flows_in_use_are_not_watched(void**) {
    World world;
    for (int i = 0; i < 10; ++i) {
        world.pass(1s);
        world.sends();
        world.receives();
        assert_false(world.look().has_value());
        assert_int_equal(world.watch.flows(), 0);
    }
}

void time_without_an_answer_is_no_silence(void**) {
    World world;
    world.pass(30s);
    world.look();
    world.pass(5s);
    world.sends();
    world.is_trying = true;
    world.look();
    world.pass(25s);
    world.sends();
    world.look();
    assert_true(world.watch.before_trying(1) == 30s);
    world.receives();
    world.is_trying = false;
    assert_true(world.look() == 30s);
}

/// A probe that got no answer was on the way when the sweep came by.
void a_lone_answer_after_unanswered_probes(void**) {
    World world;
    world.pass(30s);
    world.look();
    world.pass(30s);
    world.probes();
    world.is_trying = true;
    world.look();
    world.pass(10s);
    world.probes();
    world.receives();
    world.is_trying = false;
    assert_true(world.look() == 30s);
}

void flows_that_are_gone_are_forgotten(void**) {
    World world;
    world.pass(30s);
    world.look();
    world.watch.end_sweep(world.now + GapWatch::grace);
    assert_true(world.watch.before_trying(1) == 30s); // its verdict may still come
    world.watch.end_sweep(world.now + GapWatch::grace + 1s);
    assert_int_equal(world.watch.flows(), 0);
}

void those_that_tried_are_remembered_a_while(void**) {
    World world;
    world.pass(30s);
    world.look();
    world.is_trying = true;
    world.look();
    world.watch.end_sweep(world.now + GapWatch::remembered);
    assert_true(world.watch.before_trying(1) == 30s);
    world.watch.end_sweep(world.now + GapWatch::remembered + 1s);
    assert_false(world.watch.before_trying(1).has_value());
}

void counts_wrap(void**) {
    World world;
    world.in = world.out = 0xffffffff;
    world.pass(20s);
    world.look();
    world.pass(20s);
    world.probes();
    world.receives();
    assert_true(world.look() == 40s);
}

} // namespace

TEST_GROUP(gap_watch) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_shows_the_whole_silence),
        cmocka_unit_test(more_than_a_probe_shows_what_was_seen),
        cmocka_unit_test(flows_older_than_the_watch_show_theirs),
        cmocka_unit_test(flows_in_use_are_not_watched),
        cmocka_unit_test(time_without_an_answer_is_no_silence),
        cmocka_unit_test(a_lone_answer_after_unanswered_probes),
        cmocka_unit_test(flows_that_are_gone_are_forgotten),
        cmocka_unit_test(those_that_tried_are_remembered_a_while),
        cmocka_unit_test(counts_wrap),
    };
    return cmocka_run_group_tests_name("gap_watch", tests, nullptr, nullptr);
}

} // namespace test_gap_watch

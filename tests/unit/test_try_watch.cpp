// SPDX-License-Identifier: Apache-2.0
// daemon/guards/keepalive/try_watch: a flow whose tries fail while its destination answers others
// is dead, as far as learning goes; one whose whole path is out is not.
#include "daemon/guards/keepalive/try_watch.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_try_watch {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using guards::TryWatch;
using Gap = std::chrono::milliseconds;
using Monotonic = TryWatch::Monotonic;

/// A flow that retransmits at 0.2, 0.6, 1.4, 3, 6.2, 12.6, 25.4 s, and a sweep every 5 s.
struct World {
    TryWatch watch;
    Monotonic began{1h}; ///< of the first try
    Endpoint there{*parse_address("10.0.0.5"), 5432};

    bool sweep(Gap at, std::optional<Gap> other_heard, bool is_there = true,
               std::uint32_t probes = 0) {
        const Monotonic now = began + at;
        if (is_there && probes != 0)
            watch.on_trying({.cookie = 7, .remote = there, .probes = probes}, now);
        else if (is_there)
            watch.on_trying({.cookie = 7,
                             .remote = there,
                             .trying = at - 200ms,
                             .since_try = at - last_try(at)},
                            now);
        if (other_heard && watch.is_watched(there))
            watch.on_heard(there, began + *other_heard);
        return !watch.end_sweep(now, now).empty();
    }
    static Gap last_try(Gap at) {
        Gap last{0};
        for (const Gap one : {200ms, 600ms, 1400ms, 3000ms, 6200ms, 12'600ms, 25'400ms})
            last = one <= at ? one : last;
        return last;
    }
};

/// The program gave up after four seconds and connected again; the new connection fell idle.
void a_reconnect_that_works_shows_it(void**) {
    World world;
    assert_false(world.sweep(2s, std::nullopt));
    assert_false(world.sweep(7s, 4s)); // its last try, at 6.2 s, may just be answered
    assert_true(world.sweep(12s, 4s));
    assert_false(world.sweep(17s, 4s)); // once
}

void an_outage_does_not(void**) {
    World world;
    for (const Gap at : std::initializer_list<Gap>{2s, 7s, 12s, 17s, 22s})
        assert_false(world.sweep(at, std::nullopt));
    assert_false(world.sweep(27s, 26s)); // it ends before the next try
}

void life_before_the_first_try_does_not(void**) {
    World world;
    for (const Gap at : std::initializer_list<Gap>{2s, 7s, 12s, 17s})
        assert_false(world.sweep(at, -1s));
}

void a_reconnect_at_once_after_keepalive_gave_up_shows_it(void**) {
    World world;
    assert_false(world.sweep(10s, std::nullopt, true, 8));
    assert_false(world.sweep(15s, std::nullopt, false));
    assert_true(world.sweep(20s, 16s, false));
}

void a_late_one_does_not(void**) {
    World world;
    assert_false(world.sweep(10s, std::nullopt, true, 8));
    assert_false(world.sweep(25s, std::nullopt, false));
    assert_false(world.sweep(30s, 28s, false));
}

void flows_and_signs_are_forgotten(void**) {
    World world;
    world.sweep(2s, 1s);
    assert_true(world.watch.knows(7) && world.watch.is_watched(world.there));
    world.sweep(30s, std::nullopt, false);
    assert_false(world.watch.knows(7) || world.watch.is_watched(world.there));
}

} // namespace

TEST_GROUP(try_watch) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_reconnect_that_works_shows_it),
        cmocka_unit_test(an_outage_does_not),
        cmocka_unit_test(life_before_the_first_try_does_not),
        cmocka_unit_test(a_reconnect_at_once_after_keepalive_gave_up_shows_it),
        cmocka_unit_test(a_late_one_does_not),
        cmocka_unit_test(flows_and_signs_are_forgotten),
    };
    return cmocka_run_group_tests_name("try_watch", tests, nullptr, nullptr);
}

} // namespace test_try_watch

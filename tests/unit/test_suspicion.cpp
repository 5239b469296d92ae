// SPDX-License-Identifier: Apache-2.0
// Which events of a flow are told (bpf/lib/suspicion.h), with jiffies that wrap.
#include <initializer_list>

#include "bpf/lib/suspicion.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_suspicion {

namespace {

constexpr __u32 established = 1, syn_sent = 2, fin_wait1 = 4, fin_wait2 = 5, closed = 7,
                close_wait = 8, last_ack = 9;

ballast_control watching(__u32 after = 250, __u32 until = 8) {
    ballast_control control{};
    control.suspect_after = after;
    control.suspect_until = until;
    return control;
}

void probes_of_keepalive_are_told_from_others(void**) {
    assert_true(ballast_is_probing(7, 7, BALLAST_PROBES_TELLING));
    assert_false(ballast_is_probing(7, 7, BALLAST_PROBES_TELLING - 1)); // just sent, perhaps
    assert_false(ballast_is_probing(8, 7, 9));                          // of a shut window
}

void silence_is_since_whatever_came_last(void**) {
    struct Case {
        __u32 now, last_ack, last_data, wanted;
    };
    for (const Case& c :
         {Case{1000, 900, 500, 100}, Case{1000, 500, 900, 100}, Case{1000, 1000, 1000, 0},
          Case{5, 0xfffffff0, 0xffffff00, 21}, Case{5, 0xffffff00, 1, 4}})
        assert_int_equal(ballast_silence(c.now, c.last_ack, c.last_data), c.wanted);
}

void retransmissions_are_told_after_silence_and_up_to_a_number(void**) {
    struct Case {
        __u32 state, silence, retransmits;
        bool told;
    };
    const auto control = watching();
    for (const Case& c : {Case{established, 250, 0, true}, Case{established, 249, 0, false},
                          Case{established, 0, 2, false}, Case{established, 0, 3, true},
                          Case{established, 0, 9, false}, Case{closed, 0, 3, false},
                          Case{established, 250, 8, true}, Case{established, 100'000, 9, false},
                          Case{close_wait, 250, 1, true}, Case{fin_wait1, 250, 1, true},
                          Case{syn_sent, 250, 1, false}, Case{fin_wait2, 250, 1, false},
                          Case{last_ack, 250, 1, false}, Case{closed, 250, 1, false}})
        assert_int_equal(ballast_tells_retransmission(&control, c.state, c.silence, c.retransmits),
                         c.told);
}

void resets_are_told_only_of_what_is_in_flight(void**) {
    struct Case {
        __u32 state, silence, packets_out;
        bool told;
    };
    const auto control = watching();
    for (const Case& c : {Case{established, 250, 1, true}, Case{established, 250, 0, false},
                          Case{established, 249, 1, false}, Case{syn_sent, 250, 1, false}})
        assert_int_equal(ballast_tells_reset(&control, c.state, c.silence, c.packets_out), c.told);
}

void ends_are_told_of_what_had_been_established(void**) {
    struct Case {
        __u32 state;
        bool was_established, told;
    };
    const auto control = watching();
    for (const Case& c : {Case{established, true, true}, Case{closed, true, true},
                          Case{closed, false, false}, Case{syn_sent, false, false}})
        assert_int_equal(ballast_tells_end(&control, c.state, 250, c.was_established), c.told);
}

void the_last_try_was_made_some_time_ago(void**) {
    constexpr __u32 retransmission = BALLAST_SUSPICION_RETRANSMISSION,
                    end = BALLAST_SUSPICION_TIMED_OUT, reset = BALLAST_SUSPICION_RESET;
    struct Case {
        ballast_tries tries;
        __u32 wanted;
    };
    for (const Case& c :
         {Case{{retransmission, 2, 100, 0, 9, 7500}, 100},
          Case{{retransmission, 0, 100, 0, 9, 7500}, 0}, // a tail loss probe
          Case{{end, 3, 400, 250, 9, 7500}, 250},        // its user time-out came first
          Case{{end, 0, 100, 9000, 9, 7500}, 7500}, Case{{end, 0, 100, 9000, 0, 7500}, 100},
          Case{{reset, 0, 100, 9000, 9, 7500}, 0}})
        assert_int_equal(ballast_between_tries(&c.tries), c.wanted);
}

void nothing_is_told_while_switched_off(void**) {
    const auto control = watching(0, 0);
    assert_false(ballast_tells_retransmission(&control, established, 100'000, 0));
    assert_false(ballast_tells_reset(&control, established, 100'000, 1));
    assert_false(ballast_tells_end(&control, established, 100'000, true));
}

void a_request_is_unanswered_until_data_comes(void**) {
    struct Case {
        __u32 written, acknowledged, last_sent, last_data;
        bool unanswered;
    };
    for (const Case& c : {Case{7, 7, 100, 90, true}, Case{7, 7, 100, 100, false},
                          Case{7, 7, 100, 110, false}, Case{8, 7, 100, 90, false},
                          Case{7, 7, 5, 0xfffffff0, true}, Case{7, 7, 0xfffffff0, 5, false}})
        assert_int_equal(ballast_is_unanswered(c.written, c.acknowledged, c.last_sent, c.last_data),
                         c.unanswered);
}

} // namespace

TEST_GROUP(suspicion) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(probes_of_keepalive_are_told_from_others),

        cmocka_unit_test(silence_is_since_whatever_came_last),
        cmocka_unit_test(retransmissions_are_told_after_silence_and_up_to_a_number),
        cmocka_unit_test(resets_are_told_only_of_what_is_in_flight),
        cmocka_unit_test(ends_are_told_of_what_had_been_established),
        cmocka_unit_test(the_last_try_was_made_some_time_ago),
        cmocka_unit_test(nothing_is_told_while_switched_off),
        cmocka_unit_test(a_request_is_unanswered_until_data_comes)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_suspicion

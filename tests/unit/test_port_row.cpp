// SPDX-License-Identifier: Apache-2.0
// Which row governs a port, and what a full destination means (bpf/lib/policy.h).
#include <array>
#include <cerrno>
#include <random>

#include "bpf/lib/policy.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_port_row {

namespace {

/// The definition, without a search: the last span that begins at or before the port.
__u16 by_definition(const ballast_prefix_rule& rule, __u16 port) {
    __u16 limit = 0;
    for (__u32 i = 0; i < rule.span_count; ++i)
        if (rule.spans[i].first <= port)
            limit = rule.spans[i].row;
    return limit;
}

void search_agrees_with_the_definition(void**) {
    std::mt19937 random(3);
    for (int round = 0; round < 2000; ++round) {
        ballast_prefix_rule rule{};
        rule.span_count = 1 + static_cast<__u32>(random() % BALLAST_MAX_PORT_SPANS);
        __u32 first = 0;
        for (__u32 i = 0; i < rule.span_count; ++i) {
            rule.spans[i] = {static_cast<__u16>(first), static_cast<__u16>(random() % 2048)};
            first += 1 + static_cast<__u32>(random() % 2000);
        }
        for (__u32 i = 0; i < rule.span_count; ++i)
            for (const int offset : {-1, 0, 1}) {
                const auto port = static_cast<__u16>(rule.spans[i].first + offset);
                assert_int_equal(ballast_port_row(&rule, port), by_definition(rule, port));
            }
        assert_int_equal(ballast_port_row(&rule, 65535), by_definition(rule, 65535));
    }
}

struct Verdict {
    const char* what;
    __u8 mode;
    __u32 disarmed;
    __u64 heartbeat_ns;
    __u64 grace_ns;
    __u64 now_ns;
    ballast_verdict verdict;
};

void full_destination(void**) {
    static constexpr std::array<Verdict, 9> cases{{
        {"enforced", BALLAST_MODE_ENFORCE, 0, 100, 50, 120, BALLAST_REFUSE},
        {"observed", BALLAST_MODE_OBSERVE, 0, 100, 50, 120, BALLAST_PASS_OBSERVED},
        {"off", BALLAST_MODE_OFF, 0, 100, 50, 120, BALLAST_PASS_OBSERVED},
        {"kill switch", BALLAST_MODE_ENFORCE, 1, 100, 50, 120, BALLAST_PASS_DISARMED},
        {"heartbeat just old enough", BALLAST_MODE_ENFORCE, 0, 100, 50, 150, BALLAST_REFUSE},
        {"heartbeat too old", BALLAST_MODE_ENFORCE, 0, 100, 50, 151, BALLAST_PASS_DAEMON_SILENT},
        {"no grace configured", BALLAST_MODE_ENFORCE, 0, 100, 0, 1'000'000, BALLAST_REFUSE},
        {"clock read before the heartbeat", BALLAST_MODE_ENFORCE, 0, 100, 50, 90, BALLAST_REFUSE},
        {"disarmed and silent", BALLAST_MODE_ENFORCE, 1, 100, 50, 500, BALLAST_PASS_DISARMED},
    }};
    for (const auto& [what, mode, disarmed, heartbeat, grace, now, verdict] : cases) {
        print_message("# %s\n", what);
        ballast_control control{};
        control.disarmed = disarmed;
        control.heartbeat_ns = heartbeat;
        control.daemon_grace_ns = grace;
        assert_int_equal(ballast_over_limit(&control, mode, now), verdict);
    }
}

void refusal_is_the_errno_asked_for(void**) {
    assert_int_equal(ballast_refusal_errno(BALLAST_ON_LIMIT_REFUSED), -ECONNREFUSED);
    assert_int_equal(ballast_refusal_errno(BALLAST_ON_LIMIT_AGAIN), -EAGAIN);
    assert_int_equal(ballast_refusal_errno(BALLAST_ON_LIMIT_UNREACHABLE), -EHOSTUNREACH);
    assert_int_equal(ballast_refusal_errno(200), -ECONNREFUSED);
}

} // namespace

TEST_GROUP(port_row) {
    const CMUnitTest tests[] = {cmocka_unit_test(search_agrees_with_the_definition),
                                cmocka_unit_test(full_destination),
                                cmocka_unit_test(refusal_is_the_errno_asked_for)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_port_row

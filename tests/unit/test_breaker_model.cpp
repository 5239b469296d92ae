// SPDX-License-Identifier: Apache-2.0
// Long random sequences of calls to the breaker at random times, compared with the plain model of
// breaker_model.h after each. tests/bpf/test_breaker.cpp runs such sequences in the kernel too.
#include <array>

#include "tests/bpf/breaker_sequence.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_breaker_model {

namespace {

using ballast::test::BreakerSequence;
using ballast::test::BreakerShadow;

constexpr int calls_to_make = 20'000;

/// What a sequence has to have met to be worth running.
struct Met {
    std::array<std::array<int, 4>, 4> changes{}; ///< [from][to]
    __u64 opened = 0;
    __u64 withheld = 0;
};

void run_sequence(std::uint32_t seed, Met& met) {
    BreakerSequence sequence(seed);
    BreakerShadow shadow;
    breaker_call call{};
    for (int i = 0; i < calls_to_make; ++i) {
        sequence.next(call);
        const breaker_call before = call;
        run_breaker_call(&call);
        if (const char* wrong = shadow.follow(before, call))
            fail_msg("seed %u, call %d, operation %u: the model disagrees about %s", seed, i,
                     before.operation, wrong);
        if (call.change.changed)
            ++met.changes[call.change.from & 3][call.change.to & 3];
    }
    met.opened += call.breaker.opened;
    met.withheld += call.breaker.withheld;
}

void agrees_with_the_model(void**) {
    Met met;
    for (std::uint32_t seed = 1; seed <= 200; ++seed)
        run_sequence(seed, met);
    constexpr auto closed = BALLAST_BREAKER_CLOSED;
    constexpr auto open = BALLAST_BREAKER_OPEN;
    constexpr auto halved = BALLAST_BREAKER_HALF_OPEN;
    constexpr auto ramp = BALLAST_BREAKER_RAMP;
    const std::array<std::array<unsigned, 2>, 8> steps{{{closed, open},
                                                        {open, halved},
                                                        {halved, halved},
                                                        {halved, open},
                                                        {halved, ramp},
                                                        {halved, closed},
                                                        {ramp, open},
                                                        {ramp, closed}}};
    for (const auto& [from, to] : steps) {
        print_message("# %u to %u: %d times\n", from, to, met.changes[from][to]);
        assert_true(met.changes[from][to] > 100);
    }
    assert_true(met.opened > 1000);
    assert_true(met.withheld > 1000);
}

} // namespace

TEST_GROUP(breaker_model) {
    const CMUnitTest tests[] = {cmocka_unit_test(agrees_with_the_model)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_breaker_model

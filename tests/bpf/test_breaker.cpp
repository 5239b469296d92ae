// SPDX-License-Identifier: Apache-2.0
// The same random calls through breaker and rate (bpf/lib) in user space and in a BPF program under
// BPF_PROG_TEST_RUN: results and all that they write must be the same, call by call, and what the
// plain model says.
#include <cstring>
#include <memory>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "breaker.skel.h"
#include "tests/bpf/breaker_sequence.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_breaker {

namespace {

using ballast::test::BreakerSequence;
using ballast::test::BreakerShadow;

constexpr int calls_to_make = 10'000;

struct CloseSkeleton {
    void operator()(breaker_bpf* skeleton) const { breaker_bpf::destroy(skeleton); }
};
using Skeleton = std::unique_ptr<breaker_bpf, CloseSkeleton>;

breaker_call run_in_kernel(const Skeleton& skeleton, const breaker_call& call) {
    const __u32 first = 0;
    const int calls = bpf_map__fd(skeleton->maps.calls);
    assert_int_equal(bpf_map_update_elem(calls, &first, &call, BPF_ANY), 0);
    char packet[64] = {};
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.data_in = packet;
    options.data_size_in = sizeof(packet);
    assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.run_one), &options), 0);
    assert_int_equal(options.retval, 0);
    breaker_call after{};
    assert_int_equal(bpf_map_lookup_elem(calls, &first, &after), 0);
    return after;
}

/// One sequence; returns how often the breaker opened.
__u64 run_sequence(const Skeleton& skeleton, std::uint32_t seed) {
    BreakerSequence sequence(seed);
    BreakerShadow shadow;
    breaker_call call{};
    for (int i = 0; i < calls_to_make; ++i) {
        sequence.next(call);
        const breaker_call before = call;
        const breaker_call in_kernel = run_in_kernel(skeleton, call);
        run_breaker_call(&call);
        if (std::memcmp(&call, &in_kernel, sizeof(call)) != 0)
            fail_msg("seed %u, call %d, operation %u: results %u here, %u in the kernel", seed, i,
                     before.operation, call.result, in_kernel.result);
        if (const char* wrong = shadow.follow(before, in_kernel))
            fail_msg("seed %u, call %d, operation %u: the model disagrees about %s", seed, i,
                     before.operation, wrong);
    }
    return call.breaker.opened;
}

void kernel_user_space_and_model_agree(void**) {
    const Skeleton skeleton(breaker_bpf::open_and_load());
    assert_non_null(skeleton.get());
    for (std::uint32_t seed = 1; seed <= 4; ++seed)
        assert_true(run_sequence(skeleton, seed) > 50);
}

} // namespace

TEST_GROUP(breaker) {
    const CMUnitTest tests[] = {cmocka_unit_test(kernel_user_space_and_model_agree)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_breaker

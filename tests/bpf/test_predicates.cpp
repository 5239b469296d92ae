// SPDX-License-Identifier: Apache-2.0
// The same random calls through the predicates of bpf/lib in user space and in a BPF program under
// BPF_PROG_TEST_RUN: results and all that they write must be the same, call by call, with the state
// of one call going into the next.
#include <cstring>
#include <memory>
#include <random>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "predicates.skel.h"
#include "tests/bpf/predicate_call.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_predicates {

namespace {

constexpr int calls_to_make = 20'000;

struct CloseSkeleton {
    void operator()(predicates_bpf* skeleton) const { predicates_bpf::destroy(skeleton); }
};
using Skeleton = std::unique_ptr<predicates_bpf, CloseSkeleton>;

class Generator {
public:
    explicit Generator(unsigned seed) : random_(seed) {}

    __u32 below(__u32 bound) { return std::uniform_int_distribution<__u32>(0, bound - 1)(random_); }

    /// Small domains, so that calls meet each other's traces; now and then the extremes.
    void vary(predicate_call& call) {
        call.predicate = below(PREDICATES);
        call.cookie = 1 + below(12);
        call.max = below(20) ? below(6) : BALLAST_UNLIMITED;
        call.place = below(BALLAST_BUCKET_WIDTH);
        call.destination = below(4) | (below(2) ? BALLAST_PENDING : 0);
        call.netns = below(3);
        call.port = static_cast<__u16>(below(65536));
        call.mode = static_cast<__u8>(below(3));
        call.on_limit = static_cast<__u8>(below(4));
        call.now_ns = below(1000);
        call.control.heartbeat_ns = below(1000);
        call.control.daemon_grace_ns = below(3) ? below(500) : 0;
        call.control.disarmed = below(2);
        for (auto& word : call.words)
            word = below(3) ? 0 : BALLAST_BE32(below(3) ? 0x0000ffffU : below(1U << 31U));
        if (!below(50))
            call.in_use ^= BALLAST_RETIRED;
        if (!below(10))
            vary_rule(call.rule);
    }

private:
    void vary_rule(ballast_prefix_rule& rule) {
        rule = {};
        rule.span_count = 1 + below(BALLAST_MAX_PORT_SPANS);
        const __u32 width = 65536 / rule.span_count;
        for (__u32 i = 0; i < rule.span_count; ++i) {
            rule.spans[i].first = static_cast<__u16>(i ? i * width + below(width) : 0);
            rule.spans[i].row = static_cast<__u16>(below(2) ? below(2048) : 0);
        }
    }

    std::mt19937 random_;
};

Skeleton load() {
    Skeleton skeleton(predicates_bpf::open_and_load());
    assert_non_null(skeleton.get());
    return skeleton;
}

predicate_call run_in_kernel(const Skeleton& skeleton, const predicate_call& call) {
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
    predicate_call after{};
    assert_int_equal(bpf_map_lookup_elem(calls, &first, &after), 0);
    return after;
}

void predicates_agree_in_kernel_and_user_space(void**) {
    const Skeleton skeleton = load();
    Generator generator(20'240'501);
    predicate_call call{};
    call.rule.span_count = 1;
    for (int i = 0; i < calls_to_make; ++i) {
        generator.vary(call);
        const predicate_call in_kernel = run_in_kernel(skeleton, call);
        const predicate_call before = call;
        run_predicate(&call);
        if (std::memcmp(&call, &in_kernel, sizeof(call)) != 0)
            fail_msg("call %d, predicate %u, cookie %llu: results %d here, %d in the kernel", i,
                     before.predicate, before.cookie, call.result, in_kernel.result);
    }
}

} // namespace

TEST_GROUP(predicates) {
    const CMUnitTest tests[] = {cmocka_unit_test(predicates_agree_in_kernel_and_user_space)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_predicates

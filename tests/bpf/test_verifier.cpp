// SPDX-License-Identifier: Apache-2.0
// Promise (bpf/README.md): loading is cheap on every kernel. The verifier keeps a state of some KiB
// for each place that it may come back to, and they are charged to the daemon's cgroup: with tens
// of thousands of them systemd ends it (MemoryMax) before it has begun.
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <bpf/libbpf.h>

#include "ballast.skel.h"
#include "listeners.skel.h"
#include "listening.skel.h"
#include "port_hooks.skel.h"
#include "ports.skel.h"
#include "relief.skel.h"
#include "shed.skel.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_verifier {

namespace {

constexpr long most_instructions = 100'000;
constexpr long most_states = 5'000;
/// BPF_LOG_STATS (kernel/bpf/verifier.c): "processed N insns ... peak_states N ...".
constexpr std::uint32_t log_stats = 4;

long number_after(const char* text, const char* word) {
    const char* found = std::strstr(text, word);
    return found ? std::strtol(found + std::strlen(word), nullptr, 10) : -1;
}

/// The object is loaded anew, and goes at the end.
void check_cost(bpf_object* object, const char* name) {
    constexpr std::size_t log_size = 16'384;
    std::vector<std::unique_ptr<std::array<char, log_size>>> logs;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object) {
        logs.push_back(std::make_unique<std::array<char, log_size>>());
        bpf_program__set_log_level(program, log_stats);
        bpf_program__set_log_buf(program, logs.back()->data(), log_size);
    }
    const int failed = bpf_object__load(object);
    std::size_t index = 0;
    bpf_object__for_each_program(program, object) {
        const char* log = logs.at(index++)->data();
        // Linux 7 has a line with those of each function before it
        const char* line = std::strstr(log, "\nprocessed ");
        const long instructions = number_after(line ? line : log, "processed ");
        const long states = number_after(log, "peak_states ");
        if (instructions < 0 || instructions > most_instructions || states < 0 ||
            states > most_states)
            fail_msg("%s %s: %ld instructions, %ld states; the most are %ld and %ld: %s", name,
                     bpf_program__name(program), instructions, states, most_instructions,
                     most_states, log);
    }
    assert_int_equal(failed, 0);
}

template <typename Skeleton>
void test_of(const char* name) {
    const std::unique_ptr<Skeleton, decltype(&Skeleton::destroy)> skeleton(Skeleton::open(),
                                                                           Skeleton::destroy);
    assert_non_null(skeleton.get());
    check_cost(skeleton->obj, name);
}

void test_ballast(void**) {
    test_of<ballast_bpf>("ballast");
}

void test_listeners(void**) {
    test_of<listeners_bpf>("listeners");
}

void test_shed(void**) {
    test_of<shed_bpf>("shed");
}

void test_listening(void**) {
    test_of<listening_bpf>("listening");
}

void test_ports(void**) {
    test_of<ports_bpf>("ports");
}

void test_port_hooks(void**) {
    test_of<port_hooks_bpf>("port_hooks");
}

void test_relief(void**) {
    test_of<relief_bpf>("relief");
}

} // namespace

TEST_GROUP(verifier) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_ballast),   cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_listening), cmocka_unit_test(test_shed),
        cmocka_unit_test(test_ports),     cmocka_unit_test(test_port_hooks),
        cmocka_unit_test(test_relief),
    };
    return cmocka_run_group_tests_name("verifier", tests, nullptr, nullptr);
}

} // namespace test_verifier

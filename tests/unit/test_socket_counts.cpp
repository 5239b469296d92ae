// SPDX-License-Identifier: Apache-2.0
// The kernel's own counts of a namespace's sockets are read right.
#include "daemon/kernel/socket_counts.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_socket_counts {

namespace {

using ballast::kernel::parse_socket_counts;

constexpr const char* v4 = "sockets: used 92\n"
                           "TCP: inuse 31 orphan 2 tw 17 alloc 40 mem 5\n"
                           "UDP: inuse 3 mem 0\n"
                           "FRAG: inuse 0 memory 0\n";
constexpr const char* v6 = "TCP6: inuse 4\nUDP6: inuse 1\n";

void both_versions_are_added(void**) {
    struct Case {
        const char* what;
        const char *v4, *v6;
        std::uint64_t hashed, time_wait;
    };
    for (const auto& [what, of_v4, of_v6, hashed, time_wait] : {
             Case{"both", v4, v6, 35, 17},
             Case{"no IPv6", v4, "", 31, 17},
             Case{"no end of line", "TCP: inuse 7 orphan 0 tw 8", "TCP6: inuse 1", 8, 8},
             Case{"none", "TCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\n", "TCP6: inuse 0\n", 0, 0},
             Case{"a new field", "TCP: new 5 inuse 6 tw 7\n", "", 6, 7},
         }) {
        print_message("# %s\n", what);
        const auto counts = parse_socket_counts(of_v4, of_v6);
        assert_true(counts.has_value());
        assert_int_equal(counts->hashed, hashed);
        assert_int_equal(counts->time_wait, time_wait);
    }
}

void what_has_no_tcp_is_an_error(void**) {
    assert_false(parse_socket_counts("", v6).has_value());
    assert_false(parse_socket_counts("sockets: used 92\nUDP: inuse 3\n", v6).has_value());
}

/// By its process, and by a file that is no process's.
void own_namespace_is_counted(void**) {
    for (const char* path : {"/proc/self/ns/net", "/proc/thread-self/ns/net"}) {
        const auto counts = ballast::kernel::count_sockets({.inode = 0, .path = path}, "/proc");
        assert_true(counts.has_value());
    }
    assert_false(ballast::kernel::count_sockets({.inode = 0, .path = "/proc/0/ns/net"}, "/proc")
                     .has_value());
}

} // namespace

TEST_GROUP(socket_counts) {
    const CMUnitTest tests[] = {cmocka_unit_test(both_versions_are_added),
                                cmocka_unit_test(what_has_no_tcp_is_an_error),
                                cmocka_unit_test(own_namespace_is_counted)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_socket_counts

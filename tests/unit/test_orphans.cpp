// SPDX-License-Identifier: Apache-2.0
// daemon/kernel/orphans: what the kernel says of sockets without an owner.
#include "daemon/kernel/orphans.h"

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_orphans {

namespace {

using namespace ballast;
using kernel::parse_orphans;

constexpr const char* some = "sockets: used 217\n"
                             "TCP: inuse 5 orphan 12 tw 3 alloc 7 mem 1\n"
                             "UDP: inuse 2 mem 2\n";

void text_is_read(void**) {
    struct Case {
        const char* sockstat;
        const char* most;
        Orphans wanted;
    };
    for (const Case& c :
         {Case{some, "16384\n", {12, 16'384}}, Case{some, "", {12, 0}}, Case{"", "16384\n", {}},
          Case{"TCP: inuse 5", "16384", {}}, Case{"UDP: orphan 7", "16384", {}}})
        if (parse_orphans(c.sockstat, c.most) != c.wanted)
            fail_msg("%s", c.sockstat);
}

void the_kernel_says_it(void**) {
    assert_true(kernel::read_orphans().most > 0);
}

} // namespace

TEST_GROUP(orphans) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read),
        cmocka_unit_test(the_kernel_says_it),
    };
    return cmocka_run_group_tests_name("orphans", tests, nullptr, nullptr);
}

} // namespace test_orphans

// SPDX-License-Identifier: Apache-2.0
// daemon/model/ports: how many ports of each parity connect() can choose from.
#include "daemon/model/ports.h"

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_port_space {

namespace {

using namespace ballast;

void capacity_is_what_is_left_of_the_range(void**) {
    struct Case {
        std::uint16_t low, high;
        PortsByParity reserved, poisoned, wanted;
    };
    for (const Case& c :
         {Case{32768, 60999, {}, {}, {14116, 14116}}, Case{32769, 61000, {}, {}, {14116, 14116}},
          Case{32768, 60999, {50, 51}, {3, 4}, {14063, 14061}}, Case{40000, 40000, {}, {}, {1, 0}},
          Case{40001, 40001, {}, {}, {0, 1}}, Case{1024, 65535, {}, {}, {32256, 32256}},
          Case{0, 65535, {}, {}, {32768, 32768}}, Case{2, 1, {}, {}, {0, 0}}}) {
        PortSpace space;
        space.low = c.low;
        space.high = c.high;
        space.reserved = c.reserved;
        space.poisoned = c.poisoned;
        const auto got = space.capacity();
        if (got != c.wanted)
            fail_msg("%u to %u: %u even, %u odd", c.low, c.high, got.even, got.odd);
    }
}

} // namespace

TEST_GROUP(port_space) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(capacity_is_what_is_left_of_the_range),
    };
    return cmocka_run_group_tests_name("port_space", tests, nullptr, nullptr);
}

} // namespace test_port_space

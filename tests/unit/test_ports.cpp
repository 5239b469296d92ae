// SPDX-License-Identifier: Apache-2.0
// bpf/lib/ports.h, compiled for user space.
#include "bpf/lib/ports.h"

#include <bit>
#include <random>
#include <set>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_ports {

namespace {

void bits_are_counted(void**) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 10'000; ++i) {
        const std::uint64_t word = i < 64 ? 1ULL << i : random();
        assert_int_equal(ballast_bits(word), std::popcount(word));
    }
    assert_int_equal(ballast_bits(0), 0);
    assert_int_equal(ballast_bits(~0ULL), 64);
}

/// Against a bit at a time.
void ports_within_a_range_are_found(void**) {
    std::mt19937_64 random(2);
    for (int i = 0; i < 20'000; ++i) {
        const auto index = static_cast<std::uint32_t>(random() % 4);
        const auto low = static_cast<std::uint32_t>(random() % 256);
        const auto high = low + static_cast<std::uint32_t>(random() % 200);
        const std::uint64_t word = random();
        std::uint64_t wanted = 0;
        for (std::uint32_t bit = 0; bit < 64; ++bit)
            if (index * 64 + bit >= low && index * 64 + bit <= high)
                wanted |= word & 1ULL << bit;
        if (ballast_ports_within(word, index, low, high) != wanted)
            fail_msg("word %u of %u to %u", index, low, high);
    }
}

void a_mini_socket_counts_where_it_ends(void**) {
    struct Case {
        std::uint64_t jiffies;
        std::uint32_t hz, wanted;
    };
    for (const Case& c :
         {Case{0, 250, 0}, Case{1999, 250, 0}, Case{2000, 250, 1}, Case{15'000, 250, 7},
          Case{16'000, 250, 8}, Case{1'000'000, 250, 8}, Case{7999, 1000, 0}, Case{8000, 1000, 1},
          Case{60'000, 1000, 7}, Case{5, 0, 0}})
        if (ballast_end_slot(c.jiffies, c.hz) != c.wanted)
            fail_msg("%lu jiffies of 1/%u s", c.jiffies, c.hz);
}

/// Neighbouring ports and addresses, as a host's are, spread over the cells.
void tuples_spread_over_cells(void**) {
    std::set<std::uint32_t> cells;
    constexpr std::uint32_t tuples = 4096;
    for (std::uint32_t i = 0; i < tuples; ++i) {
        ballast_tuple_key key{};
        key.netns = 4026531840;
        key.remote[15] = static_cast<__u8>(i % 64);
        key.remote_port = static_cast<__u16>(8000 + i / 64);
        cells.insert(ballast_tuple_cell_of(&key));
    }
    assert_true(cells.size() > tuples * 9 / 10);
}

} // namespace

TEST_GROUP(ports) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(bits_are_counted),
        cmocka_unit_test(ports_within_a_range_are_found),
        cmocka_unit_test(a_mini_socket_counts_where_it_ends),
        cmocka_unit_test(tuples_spread_over_cells),
    };
    return cmocka_run_group_tests_name("ports", tests, nullptr, nullptr);
}

} // namespace test_ports

// SPDX-License-Identifier: Apache-2.0
// Of many namespaces some are counted at a time, the oldest counts first, and none is left out.
#include <vector>

#include "daemon/kernel/socket_census.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_socket_census {

namespace {

using namespace ballast::kernel;
using Spaces = std::vector<NetNamespace>;

Spaces spaces_of(std::uint32_t first, std::size_t count) {
    Spaces spaces(count);
    for (auto& space : spaces)
        space.inode = first++;
    return spaces;
}

ballast::Result<std::optional<SocketCounts>> three_each(const NetNamespace& space) {
    return SocketCounts{.hashed = space.inode, .time_wait = 3};
}

std::size_t counted(const SocketCensus& census, const Spaces& spaces) {
    std::size_t counted = 0;
    for (const auto& space : spaces)
        counted += census.hashed(space.inode) ? 1U : 0U;
    return counted;
}

void few_are_all_counted(void**) {
    SocketCensus census;
    const auto spaces = spaces_of(100, SocketCensus::most);
    for (int i = 0; i < 3; ++i) {
        assert_true(census.look(spaces, three_each).empty());
        assert_int_equal(counted(census, spaces), SocketCensus::most);
        assert_int_equal(*census.hashed(101), 101);
        assert_int_equal(census.time_wait(), 3 * SocketCensus::most);
    }
    assert_false(census.hashed(99).has_value());
}

void many_have_their_turns(void**) {
    SocketCensus census;
    const auto spaces = spaces_of(100, 3 * SocketCensus::most);
    std::vector<int> turns(spaces.size());
    for (std::size_t look = 1; look <= 6; ++look) {
        census.look(spaces, three_each);
        assert_int_equal(counted(census, spaces), SocketCensus::most);
        assert_int_equal(census.time_wait(),
                         3 * SocketCensus::most * std::min<std::size_t>(look, 3));
        for (std::size_t i = 0; i < spaces.size(); ++i)
            turns[i] += census.hashed(spaces[i].inode) ? 1 : 0;
    }
    for (const int turn : turns)
        assert_int_equal(turn, 2);
}

void who_is_gone_counts_no_more(void**) {
    SocketCensus census;
    census.look(spaces_of(100, 4), three_each);
    census.look(spaces_of(102, 3), three_each);
    assert_int_equal(census.time_wait(), 9);
    assert_false(census.hashed(100).has_value());
    census.look(spaces_of(102, 3), [](const auto&) { return std::optional<SocketCounts>(); });
    assert_int_equal(census.time_wait(), 0);
}

void what_cannot_be_counted_is_told(void**) {
    SocketCensus census;
    const auto failures =
        census.look(spaces_of(100, 2),
                    [](const NetNamespace& space) -> ballast::Result<std::optional<SocketCounts>> {
                        if (space.inode == 100)
                            return ballast::fail(ballast::Error("no reason"));
                        return three_each(space);
                    });
    assert_int_equal(failures.size(), 1);
    assert_string_equal(failures.front().c_str(), "network namespace 100: no reason");
    assert_int_equal(census.time_wait(), 3);
}

} // namespace

TEST_GROUP(socket_census) {
    const CMUnitTest tests[] = {cmocka_unit_test(few_are_all_counted),
                                cmocka_unit_test(many_have_their_turns),
                                cmocka_unit_test(who_is_gone_counts_no_more),
                                cmocka_unit_test(what_cannot_be_counted_is_told)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_socket_census

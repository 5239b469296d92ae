// SPDX-License-Identifier: Apache-2.0
#include "cli/discover/gap_search.h"

#include <cmath>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_gap_search {

namespace {

using namespace ballast::discovery;
using Rung = GapSearch::Rung;

/// Invariant 1, over the whole range of both options.
void steps_are_fine_enough(void**) {
    for (int percent = 5; percent <= 100; ++percent)
        for (const Gap longest : {Gap(2'000), Gap(2'001), Gap(60'000), Gap(86'400'000)}) {
            const auto ladder = idle_ladder(longest, percent);
            assert_true(ladder.front() == kShortestGap && ladder.back() == longest);
            for (std::size_t i = 1; i < ladder.size(); ++i) {
                assert_true(ladder[i] > ladder[i - 1]);
                assert_true((ladder[i] - ladder[i - 1]) * 100 <= ladder[i - 1] * percent);
            }
            assert_true(ladder.size() < 300);
        }
}

/// The table at the head of gap_search.h.
void the_stride_is_the_best(void**) {
    struct Row {
        std::size_t flows, stride;
        double most;
    };
    for (const Row& row :
         {Row{1, 2, 6.6}, Row{2, 3, 3.8}, Row{3, 3, 3.3}, Row{4, 1, 2.7}, Row{5, 1, 2.3},
          Row{7, 1, 1.8}, Row{9, 1, 1.6}, Row{11, 1, 1.5}, Row{15, 1, 1.3}}) {
        assert_int_equal(best_stride(15, row.flows), row.stride);
        assert_true(std::abs(most_time(15, row.flows, row.stride) - row.most) < 0.05);
    }
    assert_int_equal(best_stride(5, 11), 5);
    assert_true(most_time(5, 11, 5) < 2.45 && most_time(5, 11, 1) > 2.5);
}

GapSearch search_of(std::size_t rungs, std::size_t stride) {
    std::vector<Gap> ladder;
    for (std::size_t i = 1; i <= rungs; ++i)
        ladder.emplace_back(1'000 * i);
    return {ladder, stride};
}

void rungs_go_up_and_out_once(void**) {
    auto search = search_of(3, 1);
    assert_int_equal(search.take().value(), 0);
    assert_int_equal(search.take().value(), 1);
    search.give_back(0);
    assert_int_equal(search.take().value(), 0);
    assert_int_equal(search.take().value(), 2);
    assert_false(search.take().has_value());
}

void neighbours_settle_it(void**) {
    auto search = search_of(5, 1);
    while (search.take())
        ;
    search.died(3);
    assert_false(search.settled());
    search.survived(1);
    assert_true(search.open(2));
    assert_false(search.open(1) || search.open(3));
    search.survived(2);
    assert_true(search.settled());
}

void the_second_round_is_in_between(void**) {
    auto search = search_of(10, 3);
    for (const Rung rung : {2U, 5U, 8U, 9U})
        assert_int_equal(search.take().value(), rung);
    assert_false(search.take().has_value());
    search.survived(2);
    search.died(5);
    assert_int_equal(search.take().value(), 3);
    assert_int_equal(search.take().value(), 4);
    assert_false(search.take().has_value());
    search.died(3);
    assert_true(search.settled());
}

void what_died_can_be_forgotten(void**) {
    auto search = search_of(5, 1);
    search.died(0);
    assert_true(search.settled());
    search.forget_died();
    search.survived_gap(Gap(2'500));
    assert_false(search.settled());
    assert_int_equal(search.take().value(), 2);
}

} // namespace

TEST_GROUP(gap_search) {
    const CMUnitTest tests[] = {cmocka_unit_test(steps_are_fine_enough),
                                cmocka_unit_test(the_stride_is_the_best),
                                cmocka_unit_test(rungs_go_up_and_out_once),
                                cmocka_unit_test(neighbours_settle_it),
                                cmocka_unit_test(the_second_round_is_in_between),
                                cmocka_unit_test(what_died_can_be_forgotten)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_gap_search

// SPDX-License-Identifier: Apache-2.0
// When SYNs are shed, and whose (bpf/lib/shed.h, window.h, sources.h): tables, invariants S1 to S3
// and W1 to W3, and the law beside a simulated server, without a kernel or a clock.
#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "bpf/lib/shed.h"
#include "bpf/lib/sources.h"
#include "bpf/lib/window.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_shed {

namespace {

constexpr __u64 ms = 1'000'000;
constexpr __u64 second = 1000 * ms;
constexpr __u64 epoch = 1ULL << BALLAST_WINDOW_BITS;
constexpr __u32 percent = BALLAST_WHOLE / 100;

ballast_shed_rule rule_of() {
    ballast_shed_rule rule{};
    rule.low = 50 * percent;
    rule.high = 90 * percent;
    rule.target_us = 20'000;
    rule.interval_ns = 100 * ms;
    return rule;
}

void by_depth(void**) {
    struct Case {
        const char* what;
        __u32 depth, limit, reserve_percent, least_percent, most_percent;
    };
    static constexpr std::array<Case, 11> cases{{
        {"nobody waits", 0, 100, 0, 0, 0},
        {"below low", 49, 100, 0, 0, 0},
        {"at low", 50, 100, 0, 0, 0},
        {"half way", 70, 100, 0, 49, 51},
        {"just below high", 89, 100, 0, 95, 99},
        {"at high", 90, 100, 0, 100, 100},
        {"over the limit", 101, 100, 0, 100, 100},
        {"a part is others'", 72, 100, 20, 100, 100},
        {"likewise, below low", 39, 100, 20, 0, 0},
        {"room for one", 1, 1, 0, 100, 100},
        {"no room", 1, 0, 0, 100, 100},
    }};
    for (const auto& one : cases) {
        print_message("# %s\n", one.what);
        auto rule = rule_of();
        rule.reserve = one.reserve_percent * percent;
        const auto chance = ballast_shed_by_depth(&rule, one.depth, one.limit);
        assert_in_range(chance, one.least_percent * percent, one.most_percent * percent);
    }
}

void by_source(void**) {
    struct Case {
        const char* what;
        __u32 chance_percent, sent, most, wanted_percent;
    };
    static constexpr std::array<Case, 8> cases{{
        {"all is well", 0, 100, 100, 0},
        {"who sends most", 60, 100, 100, 60},
        {"who sends as much", 60, 100, 100, 60},
        {"who sends what is left to each", 60, 40, 100, 0},
        {"who sends a little", 60, 1, 100, 0},
        {"who sends half", 60, 50, 100, 20},
        {"all are to be shed", 100, 1, 100, 100},
        {"more than the most, by a race", 60, 110, 100, 60},
    }};
    for (const auto& one : cases) {
        print_message("# %s\n", one.what);
        assert_int_equal(ballast_shed_of_source(one.chance_percent * percent, one.sent, one.most),
                         one.wanted_percent * percent);
    }
}

/// S1 and S3, at random.
void chances_stay_within_bounds(void**) {
    std::mt19937_64 random(42);
    for (int i = 0; i < 200'000; ++i) {
        const auto chance = static_cast<__u32>(random() % (BALLAST_WHOLE + 1ULL));
        const auto target = static_cast<__u32>(random() % 10'000'001);
        const auto age = static_cast<__u32>(random() % (BALLAST_SHED_OLDEST_US + 1));
        const ballast_shed_socket of{.updated_ns = 0,
                                     .over_since_ns = 0,
                                     .rate = random() >> (random() % 64),
                                     .chance = chance,
                                     .depth = static_cast<__u32>(random() >> (random() % 64)),
                                     .least_us = 0,
                                     .entered = 0};
        const auto for_us = static_cast<__u32>(random() % BALLAST_SHED_LONGEST_US) + 1;
        const auto next = ballast_shed_next(
            &of, target, age, static_cast<__u32>(random() >> (random() % 64)), for_us);
        assert_true(next <= BALLAST_WHOLE);
        const auto most = static_cast<__u32>(random() % BALLAST_WINDOW_MOST) + 1;
        const auto sent = static_cast<__u32>(random() % most) + 1;
        const auto its = ballast_shed_of_source(chance, sent, most);
        assert_true(its <= chance + 1);
        if (sent > 1)
            assert_true(ballast_shed_of_source(chance, sent - 1, most) <= its);
        auto rule = rule_of();
        rule.reserve = static_cast<__u32>(random() % BALLAST_WHOLE);
        assert_true(ballast_shed_by_depth(&rule, static_cast<__u32>(random()),
                                          static_cast<__u32>(random())) <= BALLAST_WHOLE);
    }
}

/// A server of one worker, its accept queue, and what the law says of each SYN.
struct Server {
    ballast_shed_rule rule = rule_of();
    ballast_shed_socket state{};
    std::deque<__u64> queue; ///< since when each waits
    __u64 busy_until = 0;
    std::mt19937_64 random{7};
    unsigned served = 0;
    bool is_age_known = true;
    std::map<int, unsigned> sent, admitted; ///< by source
    std::map<int, __u64> windows;
    __u64 largest = 0;

    void serve_until(__u64 now, __u64 service_ns) {
        while (!queue.empty() && std::max(busy_until, queue.front()) <= now) {
            busy_until = std::max(busy_until, queue.front()) + service_ns;
            queue.pop_front();
            ++served;
        }
    }
    __u32 chance(__u64 now) {
        const auto age = queue.empty() ? 0 : static_cast<__u32>((now - queue.front()) / 1000);
        const ballast_shed_sight sight{.now_ns = now,
                                       .depth = static_cast<__u32>(queue.size()),
                                       .age_us = age,
                                       .is_age_known = is_age_known};
        return ballast_shed_by_age(&state, &rule, &sight);
    }
    bool arrive(__u64 now, int source = 0) {
        ++sent[source];
        const auto seen = ballast_window_add(&windows[source], now);
        const auto most = ballast_window_most(&largest, seen, now);
        const auto of = ballast_shed_of_source(chance(now), seen, most);
        if (random() % BALLAST_WHOLE < of)
            return false;
        queue.push_back(now);
        ballast_shed_passed(&state);
        ++admitted[source];
        return true;
    }
};

/// S2.
void a_burst_is_no_standing_queue(void**) {
    Server server;
    __u64 now = second;
    for (int burst = 0; burst < 50; ++burst) {
        for (int i = 0; i < 8; ++i) // 80 ms of work at once
            assert_true(server.arrive(now));
        for (__u64 step = 0; step < 120; ++step) {
            now += ms;
            server.serve_until(now, 10 * ms);
            assert_int_equal(server.chance(now), 0);
        }
    }
}

/// At 1.2, 3 and 10 times what it can serve: it is kept busy, and the queue stays short.
void overload_is_shed_to_what_is_served(void**) {
    for (const unsigned tenths : {12U, 30U, 100U}) {
        Server server;
        __u64 now = second, longest = 0;
        const __u64 service = 5 * ms, pause = service * 10 / tenths;
        unsigned before = 0;
        for (const __u64 begin = now; now < begin + 30 * second; now += pause) {
            server.serve_until(now, service);
            server.arrive(now);
            if (now < begin + 10 * second)
                before = server.served;
            else if (!server.queue.empty())
                longest = std::max(longest, now - server.queue.front());
        }
        const auto goodput = server.served - before;
        print_message("# %u tenths: served %u of 4000, longest wait %u ms\n", tenths, goodput,
                      static_cast<unsigned>(longest / ms));
        assert_in_range(goodput, 3800, 4001);
        assert_true(longest < 150 * ms);
    }
}

/// Three that send as much as can be served each, and one that sends a hundredth.
void who_sends_little_is_served(void**) {
    Server server;
    __u64 now = second;
    const __u64 service = 5 * ms;
    std::mt19937_64 random(11);
    for (int i = 0; i < 20'000; ++i) {
        now += service / 3;
        server.serve_until(now, service);
        const int source = random() % 300 == 0 ? 9 : static_cast<int>(random() % 3);
        server.arrive(now, source);
    }
    assert_int_equal(server.admitted[9], server.sent[9]);
    for (const int source : {0, 1, 2}) {
        const auto percents = 100 * server.admitted[source] / server.sent[source];
        print_message("# greedy %d: %u%%\n", source, percents);
        assert_in_range(percents, 25, 42);
    }
}

/// It comes back by itself once the load is gone.
void it_ends_with_the_overload(void**) {
    Server server;
    __u64 now = second;
    for (; now < 6 * second; now += ms) {
        server.serve_until(now, 5 * ms);
        server.arrive(now);
    }
    assert_true(server.state.chance > 0);
    for (; now < 10 * second; now += 20 * ms) {
        server.serve_until(now, 5 * ms);
        server.arrive(now);
    }
    assert_int_equal(server.state.chance, 0);
    assert_int_equal(server.state.over_since_ns, 0);
}

/// Five minutes of two seconds at three times what it can serve and two at a third: it is kept busy
/// in each of the first, and nobody is refused in the second of each of the others.
void flapping_load_keeps_it_busy(void**) {
    Server server;
    __u64 now = second;
    const __u64 service = 5 * ms;
    for (int period = 0; period < 75; ++period) {
        const auto before = server.served;
        for (const __u64 begin = now; now < begin + 2 * second; now += service / 3) {
            server.serve_until(now, service);
            server.arrive(now);
        }
        assert_in_range(server.served - before, 370, 402);
        unsigned refused = 0;
        for (const __u64 begin = now; now < begin + 2 * second; now += 3 * service) {
            server.serve_until(now, service);
            refused += server.arrive(now) || now < begin + second ? 0U : 1U;
        }
        assert_int_equal(refused, 0);
        assert_true(server.queue.size() < 3);
    }
}

/// Where the oldest cannot be read, depth and the rate of accept() stand for it.
void an_unknown_age_is_reckoned(void**) {
    Server server;
    server.is_age_known = false;
    __u64 now = second;
    for (const __u64 begin = now; now < begin + 10 * second; now += ms) {
        server.serve_until(now, 5 * ms);
        server.arrive(now);
    }
    assert_in_range(server.served, 1900, 2000);
    assert_true(server.queue.size() < 40);
}

/// W1, W2.
void windows_slide(void**) {
    __u64 word = 0;
    const __u64 begin = 100 * epoch;
    for (unsigned i = 1; i <= 1000; ++i)
        assert_int_equal(ballast_window_add(&word, begin + i), i);
    const auto sum = [&](__u64 now) {
        return ballast_window_sum(ballast_window_at(word, now), now);
    };
    assert_int_equal(sum(begin + epoch - 1), 1000);
    assert_int_equal(sum(begin + epoch), 1000);
    assert_int_equal(sum(begin + epoch + epoch / 2), 500);
    assert_int_equal(ballast_window_add(&word, begin + epoch + epoch / 2), 501);
    assert_int_equal(sum(begin + 2 * epoch), 1);
    assert_int_equal(sum(begin + 3 * epoch), 0);
    word = ballast_window_word({.epoch = 100, .before = 0, .now = BALLAST_WINDOW_MOST});
    assert_int_equal(ballast_window_add(&word, begin), BALLAST_WINDOW_MOST);
    word = 0;
    assert_int_equal(ballast_window_most(&word, 7, begin), 7);
    assert_int_equal(ballast_window_most(&word, 3, begin + epoch), 7);
    assert_int_equal(ballast_window_most(&word, 3, begin + 2 * epoch), 3);
}

/// W3: with threads in place of CPUs, hardly any is lost.
void windows_count_for_all(void**) {
    constexpr unsigned each = 200'000;
    __u64 word = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (unsigned n = 0; n < each; ++n)
                ballast_window_add(&word, 5 * epoch);
        });
    for (auto& thread : threads)
        thread.join();
    const auto sum = ballast_window_sum(ballast_window_at(word, 5 * epoch), 5 * epoch);
    print_message("# %u of %u\n", sum, 4 * each);
    assert_in_range(sum, 4 * each * 9 / 10, 4 * each);
}

/// The error that sources.h states, of 100,000 sources that send one SYN each, and ten that send
/// 500.
void sources_are_told_apart(void**) {
    std::vector<__u64> cells(std::size_t{BALLAST_SOURCE_ROWS} * BALLAST_SOURCE_CELLS);
    const __u64 now = 9 * epoch, secret = 0x1234'5678'9abc'def0;
    const auto count = [&](__u64 source) {
        const auto hash = ballast_source_hash(0, source, 1, secret);
        __u32 least = ~0U;
        for (__u32 row = 0; row < BALLAST_SOURCE_ROWS; ++row)
            least =
                std::min(least, ballast_window_add(&cells.at(ballast_source_cell(hash, row)), now));
        return least;
    };
    for (__u64 source = 0; source < 100'000; ++source)
        count(source);
    const __u32 bound = 3 * 105'000 / BALLAST_SOURCE_CELLS;
    unsigned beyond = 0;
    for (__u64 source = 1'000'000; source < 1'000'010; ++source) {
        __u32 seen = 0;
        for (int i = 0; i < 500; ++i)
            seen = count(source);
        assert_true(seen >= 500);
        beyond += seen > 500 + bound ? 1 : 0;
    }
    assert_in_range(beyond, 0, 1);
}

} // namespace

TEST_GROUP(shed) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(by_depth),
        cmocka_unit_test(by_source),
        cmocka_unit_test(chances_stay_within_bounds),
        cmocka_unit_test(a_burst_is_no_standing_queue),
        cmocka_unit_test(overload_is_shed_to_what_is_served),
        cmocka_unit_test(who_sends_little_is_served),
        cmocka_unit_test(it_ends_with_the_overload),
        cmocka_unit_test(flapping_load_keeps_it_busy),
        cmocka_unit_test(an_unknown_age_is_reckoned),
        cmocka_unit_test(windows_slide),
        cmocka_unit_test(windows_count_for_all),
        cmocka_unit_test(sources_are_told_apart),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_shed

// SPDX-License-Identifier: Apache-2.0
// daemon/guards/listeners/readiness: what a load balancer is answered, from pass to pass.
#include "daemon/guards/listeners/readiness.h"

#include <random>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_readiness {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using guards::Readiness;

constexpr std::uint32_t own = 1;

ListenerRow row(const char* local, std::uint32_t depth, std::uint32_t limit = 99,
                std::uint32_t inode = 7) {
    ListenerRow made;
    made.netns = own;
    made.local = parse_endpoint(local).value();
    made.inode = inode;
    made.depth = depth;
    made.limit = limit;
    return made;
}

ReadyRow of(const Readiness& readiness, const char* endpoint, std::uint32_t netns = 0) {
    return readiness.of(parse_endpoint(endpoint).value(), netns, own).value();
}

bool is_known(const Readiness& readiness, const char* endpoint, std::uint32_t netns = 0) {
    return readiness.of(parse_endpoint(endpoint).value(), netns, own).has_value();
}

void a_share_follows_from_queue_and_age(void**) {
    struct Case {
        std::uint32_t depth;
        std::chrono::milliseconds oldest;
        std::uint32_t wanted;
    };
    for (const Case& c :
         {Case{0, 0ms, 100}, Case{25, 0ms, 100}, Case{50, 0ms, 50}, Case{74, 0ms, 2},
          Case{75, 0ms, 1}, Case{100, 0ms, 1}, Case{1, 100ms, 100}, Case{1, 550ms, 50},
          Case{1, 1s, 1}, Case{1, 1h, 1}, Case{50, 900ms, 11}, Case{60, 200ms, 30}}) {
        auto one = row("10.0.0.2:80", c.depth);
        one.oldest = c.oldest;
        if (Readiness::wanted(one) != c.wanted)
            fail_msg("%u, %ld ms: %u", c.depth, static_cast<long>(c.oldest.count()),
                     Readiness::wanted(one));
    }
    auto stuck = row("10.0.0.2:80", 1);
    stuck.state = ListenerState::not_accepting;
    assert_int_equal(Readiness::wanted(stuck), 0);
}

void it_falls_soon_and_rises_slowly(void**) {
    Readiness readiness;
    readiness.read({row("10.0.0.2:80", 0)});
    assert_int_equal(of(readiness, "10.0.0.2:80").percent, 100);
    std::vector<std::uint32_t> seen;
    for (const std::uint32_t depth : {100U, 100U, 100U, 100U, 0U, 0U, 0U, 0U, 0U}) {
        readiness.read({row("10.0.0.2:80", depth)});
        const auto now = of(readiness, "10.0.0.2:80");
        seen.push_back(now.percent);
        assert_true(now.is_ready == (seen.size() < 4 || seen.size() > 8));
    }
    const std::vector<std::uint32_t> wanted{50, 25, 13, 7, 17, 27, 37, 47, 57};
    assert_true(seen == wanted);
}

void one_sample_does_not_turn_it(void**) {
    Readiness readiness;
    readiness.read({row("10.0.0.2:80", 0)});
    readiness.read({row("10.0.0.2:80", 100)});
    assert_true(of(readiness, "10.0.0.2:80").is_ready);
}

void nobody_accepts_turns_it_at_once(void**) {
    Readiness readiness;
    readiness.read({row("10.0.0.2:80", 0)});
    auto stuck = row("10.0.0.2:80", 3);
    stuck.state = ListenerState::not_accepting;
    stuck.stalled = 5'100ms;
    readiness.read({stuck});
    const auto now = of(readiness, "10.0.0.2:80");
    assert_int_equal(now.percent, 0);
    assert_false(now.is_ready);
    assert_string_equal(now.why.c_str(), "nobody accepts for 5100 ms");
}

/// Of four workers of one port, each gets a quarter of the connections.
void a_group_has_the_mean(void**) {
    Readiness readiness;
    std::vector<ListenerRow> rows;
    for (std::uint32_t i = 0; i < 4; ++i)
        rows.push_back(row("10.0.0.2:80", 0, 99, 10 + i));
    rows.at(2).state = ListenerState::one_stuck;
    readiness.read(rows);
    const auto now = of(readiness, "10.0.0.2:80");
    assert_int_equal(now.percent, 75);
    assert_true(now.is_ready);
}

void who_answers_for_an_endpoint(void**) {
    Readiness readiness;
    auto elsewhere = row("10.0.0.9:80", 0, 99, 4);
    elsewhere.netns = 2;
    auto any_v6 = row("[::]:81", 0, 99, 5);
    auto dual = row("[::]:82", 0, 99, 6);
    dual.is_dual = true;
    auto full = row("10.0.0.2:80", 100, 99, 2);
    readiness.read({row("0.0.0.0:80", 0, 99, 1), full, elsewhere, any_v6, dual});
    assert_int_equal(of(readiness, "10.0.0.3:80").percent, 100); // any address
    assert_int_equal(of(readiness, "10.0.0.2:80").percent, 50);  // its own socket
    assert_int_equal(of(readiness, "10.0.0.9:80").percent, 100); // here, by any address
    assert_true(is_known(readiness, "10.0.0.9:80", 2));
    assert_false(is_known(readiness, "10.0.0.3:80", 2));
    assert_false(is_known(readiness, "10.0.0.2:81")); // IPv6 alone
    assert_true(is_known(readiness, "[fd00::1]:81"));
    assert_true(is_known(readiness, "10.0.0.2:82"));
    assert_false(is_known(readiness, "10.0.0.2:83"));
    readiness.read({elsewhere});
    assert_true(is_known(readiness, "10.0.0.9:80")); // nobody does here
}

/// Whatever the queue does, the share stays within bounds and moves no faster than it may.
void it_is_bounded(void**) {
    std::mt19937 random(11);
    Readiness readiness;
    readiness.read({row("10.0.0.2:80", 0)});
    std::uint32_t last = 100;
    for (int i = 0; i < 20'000; ++i) {
        auto one = row("10.0.0.2:80", static_cast<std::uint32_t>(random() % 130));
        one.oldest = std::chrono::milliseconds(random() % 1'500);
        readiness.read({one});
        const auto now = of(readiness, "10.0.0.2:80");
        assert_true(now.percent >= Readiness::floor && now.percent <= 100);
        assert_true(now.percent <= last + Readiness::step);
        assert_true(now.percent + 1 >= (last + 1) / 2);
        last = now.percent;
    }
}

} // namespace

TEST_GROUP(readiness) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_share_follows_from_queue_and_age),
        cmocka_unit_test(it_falls_soon_and_rises_slowly),
        cmocka_unit_test(one_sample_does_not_turn_it),
        cmocka_unit_test(nobody_accepts_turns_it_at_once),
        cmocka_unit_test(a_group_has_the_mean),
        cmocka_unit_test(who_answers_for_an_endpoint),
        cmocka_unit_test(it_is_bounded),
    };
    return cmocka_run_group_tests_name("readiness", tests, nullptr, nullptr);
}

} // namespace test_readiness

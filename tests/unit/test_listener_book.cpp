// SPDX-License-Identifier: Apache-2.0
// daemon/guards/listeners/listener_book: a listener's state, and what is reported of it and when,
// in made-up time.
#include "daemon/guards/listeners/listener_book.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_listener_book {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using guards::ListenerBook;

constexpr std::uint32_t netns = 4026531840;

/// A host whose listeners a test changes between passes, a second apart.
class Host {
public:
    ListenerCount& add(const char* local, std::uint32_t inode) {
        ListenerCount made;
        made.socket = 0x1000 + inode;
        made.netns = netns;
        made.local = parse_endpoint(local).value();
        made.inode = inode;
        made.limit = 10;
        made.somaxconn = 4096;
        made.consumer = 7;
        listeners.reserve(8);
        listeners.push_back(made);
        return listeners.back();
    }

    /// Codes of what is reported.
    std::string pass(std::uint64_t torn = 0) {
        ListenCount count;
        count.pass = ++pass_;
        count.began = now_ += 1s;
        count.listeners = listeners;
        count.torn = torn;
        std::string said;
        const auto name = [](std::uint64_t cgroup) { return fmt::format("/{}.service", cgroup); };
        for (const auto& made : book.read(count, now_, name)) {
            evidence = made.finding.evidence;
            socket = made.inode;
            said +=
                std::string(said.empty() ? "" : " ") + std::string(name_of(made.finding.reason));
        }
        return said;
    }

    std::string passes(int count) {
        std::string all;
        for (int i = 0; i < count; ++i) {
            const auto said = pass();
            all += (all.empty() || said.empty() ? "" : " ") + said;
        }
        return all;
    }

    [[nodiscard]] std::string state(std::size_t index = 0) const {
        return std::string(name_of(book.rows().at(index).state));
    }

    std::vector<ListenerCount> listeners;
    ListenerBook book;
    std::string evidence;
    std::uint32_t socket = 0; ///< of the last finding

private:
    std::uint32_t pass_ = 0;
    ListenerBook::Monotonic now_{1h};
};

/// The kernel has the SYN of the first that waits answered a second before the first pass.
void set_head(ListenerCount& one, std::uint64_t head, std::uint32_t depth) {
    one.head = head;
    one.head_at = one.head == 0 ? std::nullopt : std::optional(3'600'000'000us);
    one.depth = depth;
}

void who_does_not_accept_is_reported_long_before_the_queue_is_full(void**) {
    Host host;
    auto& one = host.add("10.0.0.2:80", 55);
    assert_string_equal(host.passes(3).c_str(), "");
    set_head(one, 0xabc, 1);
    assert_string_equal(host.passes(5).c_str(), "");
    assert_string_equal(host.state().c_str(), "ok");
    assert_string_equal(host.pass().c_str(), "listener_not_accepting");
    assert_string_equal(host.state().c_str(), "not_accepting");
    assert_int_equal(host.socket, 55);
    assert_string_equal(host.evidence.c_str(),
                        "listener=10.0.0.2:80 queue=1 of=10 high_water=1 oldest_ms=9000 "
                        "stalled_ms=5000 syn_queue=0 "
                        "overflows=0 drops=0 somaxconn=4096 group=0 netns=4026531840 "
                        "consumer=/7.service");
    assert_string_equal(host.passes(100).c_str(), "");
    set_head(one, 0, 0);
    assert_string_equal(host.pass().c_str(), "");
    assert_string_equal(host.state().c_str(), "ok");
    assert_string_equal(host.passes(60).c_str(), "listener_clear");
}

/// It takes one every four seconds, so the first is another each time.
void who_accepts_slowly_is_not(void**) {
    Host host;
    auto& one = host.add("10.0.0.2:80", 55);
    for (std::uint64_t i = 0; i < 100; ++i) {
        set_head(one, 0x1000 + i / 4, 6);
        assert_string_equal(host.pass().c_str(), "");
        assert_string_equal(host.state().c_str(), "ok");
    }
}

/// The memory of a request is used again.
void another_first_at_the_same_place_is_progress(void**) {
    Host host;
    auto& one = host.add("10.0.0.2:80", 55);
    for (int i = 0; i < 100; ++i) {
        set_head(one, 0xabc, 6);
        one.head_at = std::chrono::microseconds(3'600'000'000 + 1'000'000L * (i / 3));
        assert_string_equal(host.pass().c_str(), "");
    }
}

void drops_of_a_full_queue_are_overflows(void**) {
    Host host;
    auto& one = host.add("10.0.0.2:80", 55);
    one.drops = 1'000'000; // before it was watched
    host.pass();
    one.drops += 7;
    assert_string_equal(host.pass().c_str(), "");
    assert_int_equal(host.book.rows().at(0).overflows, 0);
    assert_int_equal(host.book.rows().at(0).drops, 7);
    one.depth = 11;
    one.drops += 20;
    assert_string_equal(host.pass().c_str(), "listener_overflow");
    assert_non_null(std::strstr(host.evidence.c_str(), " would_have_held=31 "));
    one.depth = 0;
    one.drops += 5; // the pass before saw it full
    assert_string_equal(host.pass().c_str(), "");
    assert_string_equal(host.state().c_str(), "overflow");
    assert_int_equal(host.book.rows().at(0).overflows, 25);
    assert_int_equal(host.book.overflows(), 25);
    assert_string_equal(host.passes(130).c_str(), "listener_clear");
    assert_string_equal(host.state().c_str(), "ok");
    one.depth = 11;
    one.drops += 3;
    assert_string_equal(host.pass().c_str(), "listener_overflow");
    assert_non_null(std::strstr(host.evidence.c_str(), " would_have_held=14 "));
}

void a_count_of_drops_wraps(void**) {
    Host host;
    auto& one = host.add("10.0.0.2:80", 55);
    one.drops = 0xffff'fffe;
    host.pass();
    one.drops = 3;
    host.pass();
    assert_int_equal(host.book.rows().at(0).drops, 5);
}

/// It listens anew, and what was dropped before the pass belongs to it.
void a_listener_that_appears_has_its_drops(void**) {
    Host host;
    host.pass();
    auto& one = host.add("10.0.0.2:80", 55);
    one.drops = 4;
    host.pass();
    assert_int_equal(host.book.rows().at(0).drops, 4);
}

void a_limit_of_somaxconn_is_said(void**) {
    Host host;
    auto& one = host.add("10.0.0.2:80", 55);
    one.limit = one.somaxconn = 128;
    one.depth = 129;
    assert_string_equal(host.pass().c_str(), "listener_overflow");
    assert_non_null(std::strstr(host.evidence.c_str(), " clipped=somaxconn"));
    assert_true(host.book.rows().at(0).is_clipped());
}

void bursts_and_floods_are_told_apart(void**) {
    Host host;
    auto& one = host.add("10.0.0.2:80", 55);
    one.depth = 8;
    assert_string_equal(host.pass().c_str(), "");
    assert_string_equal(host.state().c_str(), "burst");
    one.depth = 0;
    host.passes(60);
    assert_string_equal(host.state().c_str(), "ok");
    one.requests = 11;
    assert_string_equal(host.pass().c_str(), "listener_flood");
    assert_string_equal(host.state().c_str(), "flood");
}

void one_of_several_that_is_stuck_is_named(void**) {
    Host host;
    for (std::uint32_t i = 0; i < 4; ++i) {
        auto& one = host.add("10.0.0.2:80", 60 + i);
        one.group = 0x77;
        one.group_size = 4;
    }
    host.pass();
    set_head(host.listeners.at(2), 0xabc, 3);
    assert_string_equal(host.passes(6).c_str(), "listener_one_stuck");
    assert_int_equal(host.socket, 62);
    assert_string_equal(host.state().c_str(), "one_stuck");
    for (auto& one : host.listeners) // now nobody does
        set_head(one, 0xabc, 3);
    assert_string_equal(host.passes(6).c_str(), "listener_not_accepting");
    assert_non_null(std::strstr(host.evidence.c_str(), " listeners=4 waiting=12 "));
}

void what_waited_at_a_listener_that_is_closed_is_counted(void**) {
    Host host;
    set_head(host.add("10.0.0.2:80", 55), 0xabc, 4);
    host.add("10.0.0.2:81", 56);
    host.pass();
    const auto all = host.listeners;
    host.listeners.clear();
    assert_string_equal(host.pass(1).c_str(), ""); // they may have been missed
    host.listeners = all;
    assert_string_equal(host.pass().c_str(), "");
    host.listeners.clear();
    assert_string_equal(host.pass().c_str(), "listener_closed_waiting");
    assert_int_equal(host.socket, 0);
    assert_int_equal(host.book.closed_waiting(), 4);
    assert_string_equal(host.passes(3).c_str(), "");
    assert_true(host.book.rows().empty());
}

/// A process that hangs, and another beside it.
void what_is_alike_is_one_finding(void**) {
    Host host;
    for (std::uint32_t i = 0; i < 6; ++i) {
        auto& one = host.add("10.0.0.2:80", 60 + i);
        one.consumer = i < 5 ? 7 : 8;
        set_head(one, 0xabc, 2);
    }
    assert_string_equal(host.passes(6).c_str(), "listener_not_accepting listener_not_accepting");
    host.listeners.clear();
    assert_string_equal(host.pass().c_str(), "listener_closed_waiting listener_closed_waiting");
    assert_int_equal(host.book.closed_waiting(), 12);
}

void the_worst_comes_first(void**) {
    Host host;
    host.add("10.0.0.2:81", 56);
    auto& full = host.add("10.0.0.2:82", 57);
    auto& stuck = host.add("10.0.0.2:83", 58);
    full.depth = 11;
    set_head(stuck, 0xabc, 1);
    host.passes(7);
    assert_int_equal(host.book.rows().at(0).local.port, 83);
    assert_int_equal(host.book.rows().at(1).local.port, 82);
    assert_int_equal(host.book.rows().at(2).local.port, 81);
}

} // namespace

TEST_GROUP(listener_book) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(who_does_not_accept_is_reported_long_before_the_queue_is_full),
        cmocka_unit_test(who_accepts_slowly_is_not),
        cmocka_unit_test(another_first_at_the_same_place_is_progress),
        cmocka_unit_test(drops_of_a_full_queue_are_overflows),
        cmocka_unit_test(a_count_of_drops_wraps),
        cmocka_unit_test(a_listener_that_appears_has_its_drops),
        cmocka_unit_test(a_limit_of_somaxconn_is_said),
        cmocka_unit_test(bursts_and_floods_are_told_apart),
        cmocka_unit_test(one_of_several_that_is_stuck_is_named),
        cmocka_unit_test(what_waited_at_a_listener_that_is_closed_is_counted),
        cmocka_unit_test(what_is_alike_is_one_finding),
        cmocka_unit_test(the_worst_comes_first),
    };
    return cmocka_run_group_tests_name("listener_book", tests, nullptr, nullptr);
}

} // namespace test_listener_book

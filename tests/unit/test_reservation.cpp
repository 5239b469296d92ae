// SPDX-License-Identifier: Apache-2.0
// One bucket of the reservation table (bpf/lib/reservation.h) and its invariants R2 and R3.
#include <array>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "bpf/lib/reservation.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_reservation {

namespace {

void entry_comes_back_as_it_went_in(void**) {
    ballast_bucket bucket{};
    assert_int_equal(ballast_bucket_find(&bucket, 42), -1);
    const int place = ballast_bucket_insert(&bucket, 42, 7 | BALLAST_PENDING, 99);
    assert_int_equal(ballast_bucket_find(&bucket, 42), place);
    assert_int_equal(bucket.entries[place].netns, 99);
    ballast_entry_confirm(&bucket.entries[place]);
    assert_int_equal(bucket.entries[place].held, 7);
    __u32 destination = 0;
    assert_true(ballast_entry_release(&bucket.entries[place], 42, &destination));
    assert_int_equal(destination, 7);
    assert_int_equal(ballast_bucket_find(&bucket, 42), -1);
}

void second_release_does_nothing(void**) {
    ballast_bucket bucket{};
    const int place = ballast_bucket_insert(&bucket, 42, 7, 0);
    __u32 destination = 0;
    assert_true(ballast_entry_release(&bucket.entries[place], 42, &destination));
    assert_false(ballast_entry_release(&bucket.entries[place], 42, &destination));
    assert_true(ballast_bucket_insert(&bucket, 43, 8, 0) == place);
    assert_false(ballast_entry_release(&bucket.entries[place], 42, &destination));
    assert_int_equal(ballast_bucket_find(&bucket, 43), place);
}

void full_bucket_takes_no_more(void**) {
    ballast_bucket bucket{};
    for (__u64 cookie = 1; cookie <= BALLAST_BUCKET_WIDTH; ++cookie)
        assert_true(ballast_bucket_insert(&bucket, cookie, 0, 0) >= 0);
    assert_int_equal(ballast_bucket_insert(&bucket, 100, 0, 0), -1);
}

/// Random insertions and releases against a map: same content after each step.
void bucket_agrees_with_a_map(void**) {
    std::mt19937 random(7);
    ballast_bucket bucket{};
    std::map<__u64, __u32> model;
    for (int step = 0; step < 100'000; ++step) {
        const __u64 cookie = 1 + random() % 12;
        const auto destination = static_cast<__u32>(random() % 1000);
        const int place = ballast_bucket_find(&bucket, cookie);
        assert_int_equal(place >= 0, model.contains(cookie));
        if (place < 0) {
            const bool inserted = ballast_bucket_insert(&bucket, cookie, destination, 0) >= 0;
            assert_int_equal(inserted, model.size() < BALLAST_BUCKET_WIDTH);
            if (inserted)
                model[cookie] = destination;
        } else {
            __u32 found = 0;
            assert_true(ballast_entry_release(&bucket.entries[place], cookie, &found));
            assert_int_equal(found, model[cookie]);
            model.erase(cookie);
        }
    }
}

struct Shared {
    ballast_bucket bucket{};
    std::atomic<long> released{0};
    std::atomic<bool> done{false};

    void release(ballast_reservation& entry, __u64 cookie) {
        __u32 destination = 0;
        if (ballast_entry_release(&entry, cookie, &destination))
            ++released;
    }
};

/// The daemon: takes back whatever it meets.
void reclaim(Shared& shared) {
    while (!shared.done)
        for (auto& entry : shared.bucket.entries) {
            const __u64 cookie = BALLAST_LOAD(entry.cookie);
            if (cookie && cookie != BALLAST_CLAIMED)
                shared.release(entry, cookie);
        }
}

/// A socket: reserves, confirms, releases, as far as the daemon leaves it its entry.
void live(Shared& shared, __u64 cookie) {
    ballast_bucket* bucket = &shared.bucket;
    while (ballast_bucket_insert(bucket, cookie, 1 | BALLAST_PENDING, 0) < 0) {
    }
    int place = ballast_bucket_find(bucket, cookie);
    if (place >= 0)
        ballast_entry_confirm(&bucket->entries[place]);
    place = ballast_bucket_find(bucket, cookie);
    if (place >= 0)
        shared.release(bucket->entries[place], cookie);
}

/// Sockets on two CPUs, and a daemon that reclaims at random: each entry is released once (R2).
void each_entry_is_released_once(void**) {
    static Shared shared;
    constexpr __u64 sockets_each = 200'000;
    std::thread reclaimer([] { reclaim(shared); });
    const auto live_many = [](__u64 first) {
        for (__u64 cookie = first; cookie < first + sockets_each; ++cookie)
            live(shared, cookie);
    };
    std::thread first(live_many, 1);
    std::thread second(live_many, 1'000'000'000);
    first.join();
    second.join();
    shared.done = true;
    reclaimer.join();
    for (const auto& entry : shared.bucket.entries)
        assert_int_equal(entry.cookie, 0);
    assert_int_equal(shared.released, 2 * sockets_each);
}

void choices_are_spread(void**) {
    std::set<__u32> firsts;
    for (__u64 cookie = 1; cookie <= BALLAST_BUCKETS; ++cookie) {
        firsts.insert(ballast_bucket_choice(cookie, 0));
        std::set<__u32> choices;
        for (__u32 n = 0; n < BALLAST_BUCKET_CHOICES; ++n)
            choices.insert(ballast_bucket_choice(cookie, n));
        assert_int_equal(choices.size(), BALLAST_BUCKET_CHOICES);
    }
    // Cookies in sequence fill every bucket before any gets a second entry.
    assert_int_equal(firsts.size(), BALLAST_BUCKETS);
}

/// 100,000 connections, some kept for long while others come and go: all find
/// room.
void table_has_room_for_a_hundred_thousand(void**) {
    static std::array<ballast_bucket, BALLAST_BUCKETS> table{};
    std::mt19937_64 random(11);
    __u64 cookie = 1;
    for (int kept = 0; kept < 100'000; ++kept) {
        cookie += 1 + random() % 40; // those in between have closed
        bool placed = false;
        for (__u32 n = 0; n < BALLAST_BUCKET_CHOICES && !placed; ++n)
            placed =
                ballast_bucket_insert(&table[ballast_bucket_choice(cookie, n)], cookie, 0, 0) >= 0;
        if (!placed)
            fail_msg("connection %d found no place", kept);
    }
}

} // namespace

TEST_GROUP(reservation) {
    const CMUnitTest tests[] = {cmocka_unit_test(entry_comes_back_as_it_went_in),
                                cmocka_unit_test(second_release_does_nothing),
                                cmocka_unit_test(full_bucket_takes_no_more),
                                cmocka_unit_test(bucket_agrees_with_a_map),
                                cmocka_unit_test(each_entry_is_released_once),
                                cmocka_unit_test(choices_are_spread),
                                cmocka_unit_test(table_has_room_for_a_hundred_thousand)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_reservation

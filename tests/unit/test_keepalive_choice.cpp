// SPDX-License-Identifier: Apache-2.0
// Keepalive `auto` for what is known of a path, and what becomes of it beside an application's own.
#include <set>
#include <vector>

#include "daemon/guards/keepalive/keepalive_choice.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_keepalive_choice {

namespace {

using ballast::guards::choose_keepalive;
using ballast::guards::IdleBracket;
using ballast::guards::Keepalive;
using ballast::guards::KeepaliveInForce;
using ballast::guards::KernelSettings;
using ballast::guards::Lack;
using ballast::guards::Setter;
using ballast::guards::Setting;
using ballast::guards::SocketSettings;
using ballast::guards::tightened;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds minute{60};
constexpr seconds hour{3600};
/// The flow that gets the whole idle time.
constexpr std::uint32_t first = 0;

/// Seconds; 0: not known.
IdleBracket known(int survived, int died, bool unsettled = false) {
    IdleBracket bracket;
    if (survived > 0)
        bracket.survived = seconds(survived);
    if (died > 0)
        bracket.died = seconds(died);
    bracket.unsettled = unsettled;
    return bracket;
}

void follows_what_is_known(void**) {
    struct Case {
        const char* name;
        IdleBracket bracket;
        seconds start;
        Keepalive wanted;
    };
    const std::vector<Case> cases{
        {"nothing known", known(0, 0), minute, {60'000, 10'000, 9}},
        {"another start", known(0, 0), seconds(25), {25'000, 10'000, 9}},
        {"less survived than the start", known(20, 0), minute, {60'000, 10'000, 9}},
        {"more, a timer's lateness below it", known(345, 0), minute, {306'000, 10'000, 9}},
        {"a bracket", known(345, 355), minute, {301'000, 10'000, 9}},
        {"a bracket whose lower end counts", known(200, 355), minute, {177'000, 10'000, 9}},
        {"died far above the start", known(0, 355), minute, {60'000, 10'000, 9}},
        {"died above the start", known(0, 70), minute, {35'000, 8'000, 9}},
        {"died below the start", known(0, 30), minute, {15'000, 3'000, 10}},
        {"died below the start, bracketed", known(28, 30), minute, {24'000, 1'000, 30}},
        {"died at once", known(0, 2), minute, {1'000, 1'000, 30}},
        {"unsettled", known(345, 0, true), minute, {60'000, 10'000, 9}},
        {"unsettled, died near", known(50, 70, true), minute, {44'000, 6'000, 9}},
        {"no more than the policy has it", known(86'400, 0), minute, {3'600'000, 10'000, 9}},
        {"a start of less than the interval", known(0, 0), seconds(5), {5'000, 5'000, 9}},
        {"and of a second", known(0, 0), seconds(1), {1'000, 1'000, 30}},
    };
    for (const Case& c : cases) {
        const Keepalive got = choose_keepalive(c.bracket, c.start, hour, first);
        if (!(got == c.wanted))
            fail_msg("%s: got %lld ms, %lld ms, %u", c.name, static_cast<long long>(got.idle_ms),
                     static_cast<long long>(got.interval_ms), got.count);
    }
}

/// What a peer would send first, a notification, is not shown to arrive by any of these gaps.
void waits_no_longer_than_start_unless_the_policy_says(void**) {
    for (const int survived : {70, 600, 86'400})
        assert_int_equal(choose_keepalive(known(survived, 0), minute, seconds(0), first).idle_ms,
                         60'000);
}

/// A thousand sockets opened one after the other: cookies are consecutive.
void flows_do_not_probe_together(void**) {
    std::multiset<std::int64_t> idles;
    for (std::uint32_t cookie = 77'000; cookie < 78'000; ++cookie)
        idles.insert(choose_keepalive(known(345, 355), minute, hour, cookie).idle_ms);
    assert_int_equal(*idles.begin(), 241'000);
    assert_int_equal(*idles.rbegin(), 301'000);
    for (std::int64_t idle = 241'000; idle <= 301'000; idle += 1'000)
        if (idles.count(idle) > 25)
            fail_msg("%zu of 1000 flows at %lld ms", idles.count(idle),
                     static_cast<long long>(idle));
}

constexpr Setting kernel(std::int64_t value) {
    return {value, Setter::kernel};
}
constexpr Setting own(std::int64_t value) {
    return {value, Setter::application};
}
constexpr Setting ours(std::int64_t value) {
    return {value, Setter::ballast};
}

struct Merge {
    const char* name;
    SocketSettings socket;
    std::optional<Keepalive> wanted;
    KeepaliveInForce result;
    Setter setter;
};

void check_merges(const std::vector<Merge>& merges, const KernelSettings& settings = {}) {
    for (const Merge& merge : merges) {
        const KeepaliveInForce got = tightened(merge.socket, settings, merge.wanted);
        if (!(got == merge.result) || got.setter() != merge.setter)
            fail_msg("%s: got %lld, %lld ms, %lld ms, %lld, %lld ms", merge.name,
                     static_cast<long long>(got.on.value),
                     static_cast<long long>(got.idle_ms.value),
                     static_cast<long long>(got.interval_ms.value),
                     static_cast<long long>(got.count.value),
                     static_cast<long long>(got.user_timeout_ms.value));
    }
}

constexpr Keepalive wanted{60'000, 10'000, 6};

void only_tightens(void**) {
    check_merges({
        {"switched on for one that never asked",
         {},
         wanted,
         {ours(1), ours(60'000), ours(10'000), ours(6), kernel(0), Lack::nothing},
         Setter::ballast},
        {"on, with the kernel's times",
         {.keepalive = true},
         wanted,
         {own(1), ours(60'000), ours(10'000), ours(6), kernel(0), Lack::nothing},
         Setter::ballast},
        {"tighter in everything: left alone",
         {.keepalive = true, .idle_ms = 5'000, .interval_ms = 1'000, .count = 3},
         wanted,
         {own(1), own(5'000), own(1'000), own(3), kernel(0), Lack::nothing},
         Setter::application},
        {"tighter in some",
         {.keepalive = true, .idle_ms = 30'000, .interval_ms = 75'000, .count = 4},
         wanted,
         {own(1), own(30'000), ours(10'000), own(4), kernel(0), Lack::nothing},
         Setter::ballast},
        {"set, but not switched on",
         {.idle_ms = 30'000},
         wanted,
         {ours(1), own(30'000), ours(10'000), ours(6), kernel(0), Lack::nothing},
         Setter::ballast},
        {"off by policy",
         {},
         std::nullopt,
         {kernel(0), kernel(7'200'000), kernel(75'000), kernel(9), kernel(0), Lack::nothing},
         Setter::kernel},
        {"off by policy, on by the application",
         {.keepalive = true, .idle_ms = 300'000, .user_timeout_ms = 20'000},
         std::nullopt,
         {own(1), own(300'000), kernel(75'000), kernel(9), own(20'000)},
         Setter::application},
    });
    check_merges({{"the host's settings are tighter",
                   {.keepalive = true},
                   wanted,
                   {own(1), kernel(20'000), kernel(5'000), kernel(6), kernel(0), Lack::nothing},
                   Setter::application},
                  {"and play no part while it is off",
                   {},
                   wanted,
                   {ours(1), kernel(20'000), ours(10'000), kernel(6), kernel(0), Lack::nothing},
                   Setter::ballast}},
                 {.idle_ms = 20'000, .interval_ms = 5'000, .count = 6});
}

/// The kernel ends idle flows by it, and applies it to a shut window whose probes are answered.
void the_user_timeout_stays_the_applications(void**) {
    constexpr KeepaliveInForce alone{kernel(0), kernel(7'200'000), kernel(75'000),
                                     kernel(9), kernel(0),         Lack::nothing};
    const auto lacking = [&](std::int64_t timeout_ms) {
        KeepaliveInForce made = alone;
        made.user_timeout_ms = own(timeout_ms);
        made.lack = Lack::user_timeout;
        return made;
    };
    check_merges({
        {"a long one",
         {.user_timeout_ms = 600'000},
         wanted,
         {ours(1), ours(60'000), ours(10'000), ours(6), own(600'000), Lack::nothing},
         Setter::ballast},
        {"one that leaves 30 s after a sooner first probe",
         {.user_timeout_ms = 75'000},
         wanted,
         {ours(1), ours(40'000), ours(10'000), ours(6), own(75'000), Lack::nothing},
         Setter::ballast},
        {"one that leaves less",
         {.user_timeout_ms = 41'000},
         wanted,
         lacking(41'000),
         Setter::kernel},
        {"20 s: an outage of 25 would end it",
         {.user_timeout_ms = 20'000},
         wanted,
         lacking(20'000),
         Setter::kernel},
    });
}

} // namespace

TEST_GROUP(keepalive_choice) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(follows_what_is_known), cmocka_unit_test(flows_do_not_probe_together),
        cmocka_unit_test(only_tightens), cmocka_unit_test(the_user_timeout_stays_the_applications),
        cmocka_unit_test(waits_no_longer_than_start_unless_the_policy_says)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_keepalive_choice

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
using ballast::guards::Setter;
using ballast::guards::Setting;
using ballast::guards::SocketSettings;
using ballast::guards::tightened;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds minute{60};
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
        {"the most that TCP takes", known(86'400, 0), minute, {32'767'000, 10'000, 9}},
    };
    for (const Case& c : cases) {
        const Keepalive got = choose_keepalive(c.bracket, c.start, first);
        if (!(got == c.wanted))
            fail_msg("%s: got %lld ms, %lld ms, %u", c.name, static_cast<long long>(got.idle_ms),
                     static_cast<long long>(got.interval_ms), got.count);
    }
}

/// A thousand sockets opened one after the other: cookies are consecutive.
void flows_do_not_probe_together(void**) {
    std::multiset<std::int64_t> idles;
    for (std::uint32_t cookie = 77'000; cookie < 78'000; ++cookie)
        idles.insert(choose_keepalive(known(345, 355), minute, cookie).idle_ms);
    assert_int_equal(*idles.begin(), 271'000);
    assert_int_equal(*idles.rbegin(), 301'000);
    for (std::int64_t idle = 271'000; idle <= 301'000; idle += 1'000)
        if (idles.count(idle) > 45)
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
         {ours(1), ours(60'000), ours(10'000), ours(6), ours(120'000)},
         Setter::ballast},
        {"on, with the kernel's times",
         {.keepalive = true},
         wanted,
         {own(1), ours(60'000), ours(10'000), ours(6), ours(120'000)},
         Setter::ballast},
        {"tighter in everything: left alone",
         {.keepalive = true, .idle_ms = 5'000, .interval_ms = 1'000, .count = 3},
         wanted,
         {own(1), own(5'000), own(1'000), own(3), kernel(0)},
         Setter::application},
        {"tighter in some",
         {.keepalive = true, .idle_ms = 30'000, .interval_ms = 75'000, .count = 4},
         wanted,
         {own(1), own(30'000), ours(10'000), own(4), ours(70'000)},
         Setter::ballast},
        {"set, but not switched on",
         {.idle_ms = 30'000},
         wanted,
         {ours(1), own(30'000), ours(10'000), ours(6), ours(90'000)},
         Setter::ballast},
        {"off by policy",
         {},
         std::nullopt,
         {kernel(0), kernel(7'200'000), kernel(75'000), kernel(9), kernel(0)},
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
                   {own(1), kernel(20'000), kernel(5'000), kernel(3), kernel(0)},
                   Setter::application}},
                 {.idle_ms = 20'000, .interval_ms = 5'000, .count = 3, .give_up_ms = 924'600});
}

void user_timeout_is_consistent(void**) {
    check_merges({
        {"a longer one is shortened",
         {.user_timeout_ms = 600'000},
         wanted,
         {ours(1), ours(60'000), ours(10'000), ours(6), ours(120'000)},
         Setter::ballast},
        {"the probes fit into a shorter one",
         {.user_timeout_ms = 30'000},
         wanted,
         {ours(1), ours(15'000), ours(2'000), ours(6), own(30'000)},
         Setter::ballast},
        {"too short to probe within",
         {.user_timeout_ms = 9'999},
         wanted,
         {kernel(0), kernel(7'200'000), kernel(75'000), kernel(9), own(9'999)},
         Setter::kernel},
        {"the shortest to probe within",
         {.user_timeout_ms = 10'000},
         wanted,
         {ours(1), ours(5'000), ours(1'000), ours(6), own(10'000)},
         Setter::ballast},
        {"later than the kernel's own end of unacknowledged data: none",
         {},
         Keepalive{3'600'000, 10'000, 6},
         {ours(1), ours(3'600'000), ours(10'000), ours(6), kernel(0)},
         Setter::ballast},
        {"so soon that an outage would end flows with data underway: none",
         {},
         Keepalive{5'000, 1'000, 3},
         {ours(1), ours(5'000), ours(1'000), ours(3), kernel(0)},
         Setter::ballast},
        {"but the application's own is brought down to what is safe",
         {.user_timeout_ms = 600'000},
         Keepalive{5'000, 1'000, 3},
         {ours(1), ours(5'000), ours(1'000), ours(3), ours(30'000)},
         Setter::ballast},
    });
}

} // namespace

TEST_GROUP(keepalive_choice) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(follows_what_is_known), cmocka_unit_test(flows_do_not_probe_together),
        cmocka_unit_test(only_tightens), cmocka_unit_test(user_timeout_is_consistent)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_keepalive_choice

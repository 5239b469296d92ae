// SPDX-License-Identifier: Apache-2.0
// What the guard concludes of flows on paths that drop, fail, lose and recover, in made-up time.
#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string>

#include "daemon/guards/half_open/half_open_guard.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/half_open_path.h"

namespace test_half_open_guard {

namespace {

using namespace ballast;
using namespace ballast::test;
using namespace std::chrono_literals;
using guards::HalfOpenGuard;
using guards::Suspect;

std::string kinds_of(const std::vector<HalfOpenVerdict>& verdicts, std::uint64_t cookie) {
    std::string text;
    for (const auto& verdict : verdicts)
        if (verdict.key.cookie == cookie)
            text += fmt::format("{}{}", text.empty() ? "" : " ", name_of(verdict.kind));
    return text;
}

constexpr FlowPlan hanging{.first = 5000ms, .every = 0ms, .is_dropped = true};
constexpr FlowPlan cut{.first = 0ms, .every = 50ms, .is_dropped = true, .dropped_from = 5000ms};
constexpr FlowPlan one_way{
    .first = 0ms, .every = 50ms, .is_dropped = true, .dropped_from = 5000ms, .hears = 300ms};
constexpr FlowPlan once{.first = 5000ms};
constexpr FlowPlan busy{.first = 0ms, .every = 10ms};
constexpr FlowPlan sparse{.first = 0ms, .every = 300ms};
constexpr FlowPlan idle{.first = 0ms};

void kinds_follow_from_the_evidence(void**) {
    struct Case {
        const char* name;
        PathPlan path;
        std::vector<FlowPlan> flows; ///< the first is judged
        milliseconds until;
        const char* wanted;
    };
    const Outage for_good{5s, 1h}, ten_seconds{4900ms, 14900ms}, half_a_second{4900ms, 5500ms};
    for (const Case& c :
         {Case{"dropped, another lives", {}, {hanging, busy}, 7500ms, "silently_dropped"},
          Case{"dropped, another says little", {}, {hanging, sparse}, 7500ms, "silently_dropped"},
          Case{"dropped, others are idle", {}, {hanging, idle}, 9s, "path_down"},
          Case{"dropped, alone", {}, {hanging}, 9s, "path_down"},
          Case{"dropped while busy", {}, {cut, busy}, 7100ms, "silently_dropped"},
          Case{"dropped one way", {}, {one_way, busy}, 7600ms, "silently_dropped"},
          Case{"dropped one way, alone", {}, {one_way}, 60s, ""},
          Case{"all dropped one way", {}, {one_way, one_way, one_way}, 60s, ""},
          Case{"one that lives", {}, {once, busy}, 30s, ""},
          Case{"path gone", {.outages = {for_good}}, {once, busy}, 9s, "path_down"},
          Case{"a short outage", {.outages = {half_a_second}}, {once, busy}, 60s, ""},
          Case{"an outage of ten seconds",
               {.outages = {ten_seconds}},
               {once, busy},
               60s,
               "path_down cleared"},
          Case{"dropped in an outage",
               {.outages = {ten_seconds}},
               {hanging, busy},
               120s,
               "path_down silently_dropped"}}) {
        Path path(c.path, c.flows);
        const auto verdicts = path.run(c.until);
        if (kinds_of(verdicts, 1) != c.wanted)
            fail_msg("%s: %s", c.name, kinds_of(verdicts, 1).c_str());
    }
}

/// Breakers count it once.
void a_second_verdict_on_one_silence_is_a_revision(void**) {
    Path path({.outages = {{4900ms, 14900ms}}}, {hanging, busy});
    const auto verdicts = path.run(120s);
    std::vector<bool> revised;
    for (const auto& verdict : verdicts)
        if (verdict.key.cookie == 1)
            revised.push_back(verdict.is_revised);
    assert_true(revised == std::vector<bool>({false, true}));
}

void a_drop_is_found_in_time(void**) {
    Path path({}, {hanging, busy});
    assert_int_equal(path.run(5000ms + 800ms).size(), 0); // the third try
    const auto verdicts = path.run(5000ms + 1100ms);
    assert_int_equal(verdicts.size(), 1);
    const auto& made = verdicts.front();
    assert_int_equal(made.tries, 3);
    assert_int_equal(made.others, 1);
    assert_int_equal(made.others_alive, 1);
    assert_false(made.is_lossy);
    assert_true(made.silent >= 5s && made.silent <= 7s);
}

/// However an outage lies: while it lasts nothing lives, and afterwards the flow is answered.
void no_single_outage_is_taken_for_a_drop(void**) {
    std::mt19937 random(4711);
    const auto up_to = [&](int most) {
        return milliseconds(random() % static_cast<unsigned>(most));
    };
    for (int i = 0; i < 3000; ++i) {
        const auto from = 3000ms + up_to(6000);
        const auto length = i % 2 != 0 ? up_to(3000) : up_to(20'000);
        const FlowPlan other{.first = up_to(1000), .every = 10ms + up_to(i % 3 != 0 ? 3000 : 100)};
        Path path({.outages = {{from, from + length}}},
                  {once, other, {.first = up_to(1000), .every = 10ms + up_to(9000)}});
        for (const auto& verdict : path.run(40s))
            if (verdict.kind == HalfOpenKind::silently_dropped)
                fail_msg("outage %d from %lld for %lld ms", i, static_cast<long long>(from.count()),
                         static_cast<long long>(length.count()));
    }
}

void a_lossy_path_drops_nothing(void**) {
    const auto [wrong, suspected] =
        lose({once, busy, busy, {.first = 0ms, .every = 2000ms}}, 2000, 30s);
    assert_true(suspected > 2000);
    if (wrong * 5000 > suspected)
        fail_msg("%u wrong of %u suspected", wrong, suspected);
}

/// Its flows' history says that it loses nothing.
void a_path_that_begins_to_lose_drops_nothing(void**) {
    constexpr FlowPlan talks{.first = 0ms, .every = 50ms};
    const auto [wrong, suspected] =
        lose({talks, talks, talks, talks, talks, talks}, 1000, 25s, 10s);
    assert_true(suspected > 2000);
    if (wrong * 5000 > suspected)
        fail_msg("%u wrong of %u suspected", wrong, suspected);
}

Suspicion try_of(std::uint64_t cookie, unsigned retransmits, Monotonic at, milliseconds silent) {
    Suspicion made;
    made.key.cookie = cookie;
    made.key.remote.port = 80;
    made.retransmits = retransmits;
    made.at = at;
    made.silent = silent;
    made.packets_out = 1;
    made.snd_wnd = 1;
    made.bytes_received = 1;
    return made;
}

DiagSocket heard(std::uint64_t cookie, milliseconds ago) {
    DiagSocket socket;
    socket.tcp.snd_wnd = 1;
    socket.key.cookie = cookie;
    socket.key.remote.port = 80;
    socket.tcp.last_ack_recv_ms = static_cast<std::uint32_t>(ago.count());
    socket.tcp.last_data_recv_ms = socket.tcp.last_ack_recv_ms;
    return socket;
}

const Monotonic start{1h};

milliseconds ms_between(Monotonic from, Monotonic until) {
    return std::chrono::duration_cast<milliseconds>(until - from);
}

/// Random histories: whatever happens, an acknowledgement ends the suspicion, and nothing is
/// silently dropped unless others showed life after the last try.
void any_acknowledgement_clears(void**) {
    std::mt19937 random(7);
    for (int round = 0; round < 2000; ++round) {
        HalfOpenGuard guard;
        Monotonic now = start;
        Monotonic last_try = start;
        Monotonic last_life{};
        const auto tries = static_cast<unsigned>(1 + random() % 9);
        for (unsigned n = 1; n <= tries; ++n) {
            now += milliseconds(100 + random() % 1000);
            last_try = now;
            guard.on_suspicion(try_of(1, n, now, ms_between(start, now) + 5s), {});
            now += milliseconds(30 + random() % 500);
            const bool lives = random() % 2 != 0;
            if (lives)
                last_life = now;
            const auto age = ms_between(start, now) + 5s;
            const auto since = ms_between(last_life, now);
            guard.on_flows(guard.due(now).front(), {.flows = {heard(1, age), heard(2, since)}},
                           now);
            for (const auto& made : guard.judge(now))
                assert_false(made.kind == HalfOpenKind::silently_dropped &&
                             last_life < last_try + Suspect::margin);
        }
        DiagSocket answered = heard(1, 1ms);
        guard.on_flow(answered.key, answered, now + 50ms);
        assert_true(guard.suspects() == 1); // it waits for more than a sign of life
        (round % 2 != 0 ? answered.tcp.bytes_acked = 1 : answered.tcp.snd_wnd = 0);
        guard.on_flow(answered.key, answered, now + 50ms);
        assert_true(guard.suspects() == 0);
        for (const auto& made : guard.judge(now + 50ms))
            assert_true(made.kind == HalfOpenKind::cleared);
    }
}

/// On a long path others' answers arrive before its own could.
void the_last_try_has_time_to_be_answered(void**) {
    HalfOpenGuard guard;
    Suspicion told = try_of(1, 3, start, 5s);
    told.rtt = 300ms;
    for (unsigned n = 1; n <= 3; ++n) {
        told.retransmits = n;
        told.at = start + (n - 1) * 500ms;
        told.silent = 5s + (n - 1) * 500ms;
        guard.on_suspicion(told, {});
        const auto now = told.at + 50ms;
        guard.on_flows(guard.due(now).front(),
                       {.flows = {heard(1, told.silent + 50ms), heard(2, 0ms)}}, now);
    }
    assert_int_equal(guard.judge(told.at + 799ms).size(), 0);
    assert_int_equal(guard.judge(told.at + 800ms).size(), 1);
}

/// Tries after which a flow is silently dropped beside one that lives and has lost so much before.
unsigned tries_beside(std::uint32_t lost, std::uint32_t sent) {
    HalfOpenGuard guard;
    for (unsigned n = 1; n <= 12; ++n) {
        const auto at = start + n * 500ms;
        const auto silent = 5s + ms_between(start, at);
        guard.on_suspicion(try_of(1, n, at, silent), {});
        DiagSocket other = heard(2, 0ms);
        other.tcp.total_retrans = lost;
        other.tcp.data_segs_out = sent;
        const auto now = at + 300ms;
        guard.on_flows(guard.due(now).front(), {.flows = {heard(1, silent + 300ms), other}}, now);
        if (!guard.judge(now).empty())
            return n;
    }
    return 0;
}

void a_path_whose_flows_lost_much_is_lossy(void**) {
    struct Case {
        std::uint32_t lost, sent;
        unsigned tries;
    };
    for (const Case& c : {Case{0, 100, 3}, Case{3, 30, 9}, Case{3, 31, 3}, Case{2, 5, 3},
                          Case{400, 1000, 9}, Case{99, 1000, 3}, Case{3, 0, 3}})
        if (tries_beside(c.lost, c.sent) != c.tries)
            fail_msg("%u of %u lost: %u tries", c.lost, c.sent, tries_beside(c.lost, c.sent));
}

void a_later_silence_is_another_suspicion(void**) {
    HalfOpenGuard guard;
    guard.on_suspicion(try_of(1, 3, start, 5s), {});
    Suspicion later = try_of(1, 1, start + 10s, 2s);
    later.bytes_acked = 1;
    guard.on_suspicion(later, {});
    assert_int_equal(guard.counts().suspected, 2);
    assert_int_equal(guard.counts().recovered, 1);
    assert_int_equal(guard.suspects(), 1);
}

void a_socket_that_is_gone_is_forgotten(void**) {
    HalfOpenGuard guard;
    guard.on_suspicion(try_of(1, 1, start, 5s), {});
    const auto peer = guard.due(start).front();
    guard.on_flows(peer, {.flows = {}, .cut_off = true}, start + 10ms);
    assert_int_equal(guard.suspects(), 1); // the list may lack it
    guard.on_flows(peer, {}, start + 20ms);
    assert_int_equal(guard.suspects(), 0);
    assert_int_equal(guard.counts().ended, 1);
}

void a_reset_after_silence_is_a_late_refusal(void**) {
    HalfOpenGuard guard;
    Suspicion reset = try_of(1, 0, start, 5s);
    reset.what = Suspicion::What::reset;
    guard.on_suspicion(reset, {});
    const auto verdicts = guard.judge(start);
    assert_int_equal(verdicts.size(), 1);
    assert_true(verdicts.front().kind == HalfOpenKind::refused_late);
    assert_true(guard.is_idle());
}

void failed_keepalive_has_its_kind(void**) {
    struct Case {
        const char* name;
        milliseconds last_life; ///< of another flow, after the end
        const char* wanted;
    };
    for (const Case& c : {Case{"alive throughout", 300ms, "silently_dropped"},
                          Case{"silent since before the last probe", -5s, "path_down"},
                          Case{"silent since after the last probe", -1s, ""}}) {
        HalfOpenGuard guard;
        Suspicion end = try_of(1, 0, start, 30s);
        end.what = Suspicion::What::timed_out;
        end.probes = 3;
        end.try_gap = 2s;
        guard.on_suspicion(end, {});
        std::vector<HalfOpenVerdict> verdicts;
        for (milliseconds at = 0ms; at <= 2500ms; at += 100ms) {
            const auto last = std::min(at, c.last_life);
            for (const auto& peer : guard.due(start + at))
                guard.on_flows(peer, {.flows = {heard(2, at - last)}}, start + at);
            for (const auto& made : guard.judge(start + at))
                verdicts.push_back(made);
        }
        if (kinds_of(verdicts, 1) != c.wanted)
            fail_msg("%s: %s", c.name, kinds_of(verdicts, 1).c_str());
        assert_true(guard.is_idle());
    }
}

void a_fresh_connect_stands_in_for_other_flows(void**) {
    HalfOpenGuard guard;
    const HalfOpenGuard::Rules rules{.confirm = 3, .may_connect = true};
    guard.on_suspicion(try_of(1, 1, start, 5s), rules);
    assert_int_equal(guard.wants_witness().size(), 0);
    guard.on_suspicion(try_of(1, 2, start + 400ms, 5400ms), rules);
    const auto peers = guard.wants_witness();
    assert_int_equal(peers.size(), 1);
    assert_int_equal(guard.wants_witness().size(), 0); // once a try
    guard.on_witness(peers.front(), true, start + 450ms);
    guard.on_suspicion(try_of(1, 3, start + 1200ms, 6200ms), rules);
    assert_int_equal(guard.wants_witness().size(), 1);
    assert_int_equal(guard.judge(start + 1500ms).size(), 0);
    guard.on_witness(peers.front(), true, start + 1250ms);
    const auto verdicts = guard.judge(start + 1500ms);
    assert_int_equal(verdicts.size(), 1);
    assert_true(verdicts.front().kind == HalfOpenKind::silently_dropped);
    assert_string_equal(verdicts.front().witness, "answered");
}

/// A flow that tries once a second from `first` on, and another that is heard of all the time.
struct Pair {
    Suspicion first = try_of(1, 1, start, 2s);
    DiagSocket other = heard(2, 10ms);
    std::uint32_t retrans = 1;         ///< of the first one, under way
    std::optional<unsigned> retrans_0; ///< the try at which nothing is

    [[nodiscard]] DiagSocket self(unsigned tries, milliseconds silent) const {
        DiagSocket socket = heard(1, silent);
        if (first.direction == Direction::inbound)
            socket.key.local.port = 0;
        socket.tcp.bytes_acked = first.bytes_acked;
        socket.tcp.retransmits = static_cast<std::uint8_t>(tries);
        socket.tcp.unacked = 1;
        socket.tcp.retrans = retrans_0 == tries ? 0 : retrans;
        return socket;
    }

    void second(HalfOpenGuard& guard, unsigned tries,
                std::vector<HalfOpenVerdict>& verdicts) const {
        const auto began = start + tries * 1s;
        Suspicion made = first;
        made.retransmits = tries;
        made.at = began;
        made.silent += tries * 1s;
        guard.on_suspicion(made, {});
        for (milliseconds at = 0ms; at < 1s; at += 100ms) {
            for (const auto& peer : guard.due(began + at))
                guard.on_flows(peer, {.flows = {self(tries, made.silent + at), other}}, began + at);
            std::ranges::copy(guard.judge(began + at), std::back_inserter(verdicts));
        }
    }

    /// What is concluded within five seconds.
    [[nodiscard]] std::string kinds() const {
        HalfOpenGuard guard;
        std::vector<HalfOpenVerdict> verdicts;
        for (unsigned tries = 1; tries <= 5; ++tries)
            second(guard, tries, verdicts);
        return kinds_of(verdicts, 1);
    }
};

void expect(const char* name, const Pair& pair, HalfOpenKind wanted) {
    if (pair.kinds() != name_of(wanted))
        fail_msg("%s: %s", name, pair.kinds().c_str());
}

/// The same evidence of a drop, of flows with another history.
void the_smallest_culprit_is_named(void**) {
    expect("used before", Pair{}, HalfOpenKind::silently_dropped);
    Pair accepted;
    accepted.first.direction = Direction::inbound;
    accepted.other.key.local.port = 0;
    expect("accepted, not called", accepted, HalfOpenKind::client_silent);
    Pair unheeded;
    unheeded.first.bytes_received = 0;
    expect("nothing was ever taken", unheeded, HalfOpenKind::not_accepted);
    unheeded.first.silent = 64s;
    expect("nothing was ever taken, long ago", unheeded, HalfOpenKind::silently_dropped);
}

void large_segments_are_lost_for_their_size(void**) {
    Pair large;
    large.first.silent = 300ms;
    large.first.segment = 1400;
    large.first.data_segs_out = 30;
    large.first.bytes_acked = 300;
    expect("the first large segment", large, HalfOpenKind::mtu_black_hole);
    Pair others = large;
    others.other.tcp.bytes_acked = 140'000;
    others.other.tcp.data_segs_out = 100;
    expect("large segments of others pass", others, HalfOpenKind::silently_dropped);
    Pair before = large;
    before.first.bytes_acked = 30 * 1400;
    expect("large ones passed before", before, HalfOpenKind::mtu_black_hole);
    before.first.silent = 4s;
    expect("large ones passed before, and then it was idle", before,
           HalfOpenKind::silently_dropped);
    Pair small = large;
    small.first.segment = 1220;
    expect("small enough for every path", small, HalfOpenKind::silently_dropped);
    Pair silent = large;
    silent.first.silent = 20s;
    expect("idle for long", silent, HalfOpenKind::silently_dropped);
}

void what_does_not_leave_this_host_is_its_fault(void**) {
    Pair unsent;
    unsent.retrans = 0;
    expect("nothing counts as sent again", unsent, HalfOpenKind::local_fault);
}

/// A burst that overflows the device's queue.
void one_try_that_does_not_leave_this_host_shows_nothing(void**) {
    for (unsigned tries = 2; tries <= 5; ++tries) {
        Pair burst;
        burst.retrans_0 = tries;
        expect("one is not sent", burst, HalfOpenKind::silently_dropped);
    }
}

/// Another source, interface or mark: another way, which says nothing of this one.
void other_uplinks_are_other_peers(void**) {
    Pair source;
    source.other.key.local.address = parse_endpoint("10.0.0.9:1")->address;
    expect("source", source, HalfOpenKind::path_down);
    Pair interface;
    interface.other.key.interface_index = 4;
    expect("interface", interface, HalfOpenKind::path_down);
    Pair mark;
    mark.other.mark = 7;
    expect("mark", mark, HalfOpenKind::path_down);
}

void what_does_not_fit_is_counted(void**) {
    HalfOpenGuard guard;
    for (std::uint64_t cookie = 1; cookie <= HalfOpenGuard::most_suspects + 10; ++cookie)
        guard.on_suspicion(try_of(cookie, 1, start, 5s), {});
    assert_int_equal(guard.suspects(), HalfOpenGuard::most_suspects);
    assert_int_equal(guard.counts().table_full, 10);
}

} // namespace

TEST_GROUP(half_open_guard) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(kinds_follow_from_the_evidence),
        cmocka_unit_test(a_second_verdict_on_one_silence_is_a_revision),
        cmocka_unit_test(a_drop_is_found_in_time),
        cmocka_unit_test(no_single_outage_is_taken_for_a_drop),
        cmocka_unit_test(a_lossy_path_drops_nothing),
        cmocka_unit_test(a_path_that_begins_to_lose_drops_nothing),
        cmocka_unit_test(any_acknowledgement_clears),
        cmocka_unit_test(the_last_try_has_time_to_be_answered),
        cmocka_unit_test(a_path_whose_flows_lost_much_is_lossy),
        cmocka_unit_test(a_later_silence_is_another_suspicion),
        cmocka_unit_test(a_socket_that_is_gone_is_forgotten),
        cmocka_unit_test(a_reset_after_silence_is_a_late_refusal),
        cmocka_unit_test(failed_keepalive_has_its_kind),
        cmocka_unit_test(a_fresh_connect_stands_in_for_other_flows),
        cmocka_unit_test(the_smallest_culprit_is_named),
        cmocka_unit_test(large_segments_are_lost_for_their_size),
        cmocka_unit_test(what_does_not_leave_this_host_is_its_fault),
        cmocka_unit_test(one_try_that_does_not_leave_this_host_shows_nothing),
        cmocka_unit_test(other_uplinks_are_other_peers),
        cmocka_unit_test(what_does_not_fit_is_counted)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_half_open_guard

// SPDX-License-Identifier: Apache-2.0
// Which half-open flows are destroyed (daemon/app/flow_resetter), with sockets and time made up.
#include <map>
#include <vector>

#include "daemon/guards/half_open/wiring/flow_resetter.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_flow_resetter {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using guards::FlowResetter;
using Leave = govern::Governor::Leave;
using Monotonic = FlowResetter::Monotonic;

const Monotonic start{1h};

/// Sockets by cookie: silent since before the start unless said otherwise.
class Sockets final : public guards::FlowFacts {
public:
    Result<FlowList> flows_of(const PeerKey&, std::size_t) override { return FlowList{}; }
    Result<std::optional<DiagSocket>> find(std::uint32_t, const FlowKey& key) override {
        const auto at = there.find(key.cookie);
        return at == there.end() ? std::optional<DiagSocket>() : std::optional(at->second);
    }
    Result<Destroyed> destroy(std::uint32_t, const FlowKey& key) override {
        destroyed.push_back(key.cookie);
        return there.erase(key.cookie) ? Destroyed::destroyed : Destroyed::already_gone;
    }
    Result<bool> has_source(const PeerKey&) override { return true; }
    void rest() override {}

    void add(std::uint64_t cookie, std::uint32_t heard_ms_ago = 1'000'000,
             std::uint32_t inode = 1) {
        DiagSocket socket;
        socket.key.cookie = cookie;
        socket.inode = inode;
        socket.tcp.given = 100;
        socket.tcp.last_ack_recv_ms = socket.tcp.last_data_recv_ms = heard_ms_ago;
        there[cookie] = socket;
    }

    std::map<std::uint64_t, DiagSocket> there;
    std::vector<std::uint64_t> destroyed;
};

struct World {
    Sockets sockets;
    HalfOpen rules{
        .mode = Mode::enforce,
        .action = HalfOpenAction::reset,
        .reset_kinds =
            HalfOpenKinds().with(HalfOpenKind::silently_dropped).with(HalfOpenKind::path_down),
        .path_down_after = 10s};
    std::optional<Monotonic> heard; ///< of the destination
    Leave leave = Leave::granted;
    unsigned budget = 1'000'000;
    std::vector<std::pair<FlowAct, bool>> told;
    FlowResetter resetter{sockets, [this](const std::string&) { return rules; },
                          [this](govern::Governor::Proof, Monotonic) {
                              if (leave == Leave::granted && budget == 0)
                                  return Leave::caps;
                              budget -= leave == Leave::granted ? 1U : 0U;
                              return leave;
                          },
                          [this](const PeerKey&) { return heard; },
                          [this](const HalfOpenVerdict&, FlowAct act, Mode, bool is_later) {
                              told.emplace_back(act, is_later);
                          }};

    void find(std::uint64_t cookie, HalfOpenKind kind = HalfOpenKind::silently_dropped,
              std::chrono::milliseconds rtt = 1ms, bool is_subflow = false,
              const std::string& service = "test") {
        HalfOpenVerdict verdict;
        verdict.kind = kind;
        verdict.key.cookie = cookie;
        verdict.service = service;
        verdict.rtt = rtt;
        verdict.is_subflow = is_subflow;
        verdict.silent = 5s;
        verdict.silence.over_after = start - 5s;
        resetter.on_verdict(verdict, start);
    }
    FlowAct first() { return told.front().first; }
    FlowAct last() { return told.back().first; }
    std::uint64_t count(FlowAct act) { return resetter.counts().at(static_cast<std::size_t>(act)); }
};

void what_is_dead_is_destroyed(void**) {
    for (const auto kind : {HalfOpenKind::silently_dropped, HalfOpenKind::path_down}) {
        World world;
        world.sockets.add(7);
        world.sockets.add(8);
        world.find(7, kind);
        world.resetter.turn(start + 6s);
        assert_int_equal(world.sockets.destroyed.size(), 1);
        assert_int_equal(world.sockets.destroyed.front(), 7);
        assert_true(world.last() == FlowAct::reset);
        assert_int_equal(world.count(FlowAct::reset), 1);
    }
}

/// 10 s since it was heard of last, 5 s of which had passed.
void a_dead_path_is_given_time(void**) {
    World world;
    world.sockets.add(7);
    world.find(7, HalfOpenKind::path_down);
    world.resetter.turn(start + 4900ms);
    assert_true(world.first() == FlowAct::settling);
    assert_true(world.sockets.destroyed.empty());
    world.leave = Leave::observer_fault;
    world.resetter.turn(start + 5100ms);
    assert_true(world.sockets.destroyed.empty());
    assert_int_equal(world.told.size(), 1);
    world.leave = Leave::granted;
    world.resetter.turn(start + 6s);
    assert_int_equal(world.sockets.destroyed.size(), 1);
}

void a_path_with_a_long_round_trip_is_given_more(void**) {
    World world;
    world.sockets.add(7);
    world.find(7, HalfOpenKind::path_down, 2s);
    world.resetter.turn(start + 34s);
    assert_true(world.sockets.destroyed.empty());
    world.resetter.turn(start + 36s);
    assert_int_equal(world.sockets.destroyed.size(), 1);
}

void it_leaves_the_queue_when_its_destination_answers(void**) {
    World world;
    world.leave = Leave::observer_fault;
    world.sockets.add(7);
    world.find(7, HalfOpenKind::path_down);
    world.resetter.turn(start + 6s);
    assert_int_equal(world.resetter.waiting(), 1);
    world.heard = start + 7s;
    world.leave = Leave::granted;
    world.resetter.turn(start + 8s);
    assert_true(world.last() == FlowAct::answers);
    assert_true(world.sockets.destroyed.empty());
    assert_false(world.resetter.has_waiting());
}

void nothing_is_destroyed_where_it_may_not(void**) {
    struct Case {
        const char* name;
        void (*prepare)(World&);
        FlowAct wanted;
    };
    for (const Case& c :
         {Case{"report", [](World& w) { w.rules.action = HalfOpenAction::report; },
               FlowAct::report},
          Case{"observe", [](World& w) { w.rules.mode = Mode::observe; }, FlowAct::observe},
          Case{"dry run", [](World& w) { w.leave = Leave::dry_run; }, FlowAct::dry_run},
          Case{"caps", [](World& w) { w.budget = 0; }, FlowAct::waiting},
          Case{"fault", [](World& w) { w.leave = Leave::observer_fault; }, FlowAct::held},
          Case{"alive", [](World& w) { w.sockets.add(7, 10); }, FlowAct::recovered},
          Case{"gone", [](World& w) { w.sockets.there.clear(); }, FlowAct::gone},
          Case{"closed", [](World& w) { w.sockets.add(7, 1'000'000, 0); }, FlowAct::none}}) {
        World world;
        world.sockets.add(7);
        c.prepare(world);
        world.find(7);
        if (world.last() != c.wanted || !world.sockets.destroyed.empty())
            fail_msg("%s: act %d", c.name, static_cast<int>(world.last()));
    }
}

void only_kinds_that_are_named_are_destroyed(void**) {
    for (std::size_t i = 0; i < kResettableKinds; ++i) {
        const auto kind = static_cast<HalfOpenKind>(i);
        World world;
        world.rules.reset_kinds = HalfOpen{}.reset_kinds;
        world.sockets.add(7);
        world.find(7, kind);
        assert_int_equal(world.sockets.destroyed.size(),
                         kind == HalfOpenKind::silently_dropped ? 1 : 0);
        assert_true(world.last() ==
                    (kind == HalfOpenKind::silently_dropped ? FlowAct::reset : FlowAct::kind));
    }
}

void subflows_and_flows_of_no_service_are_left_alone(void**) {
    World world;
    world.sockets.add(7);
    world.find(7, HalfOpenKind::silently_dropped, 1ms, true);
    assert_true(world.last() == FlowAct::subflow);
    world.find(7, HalfOpenKind::silently_dropped, 1ms, false, "");
    assert_true(world.last() == FlowAct::ungoverned);
    assert_true(world.sockets.destroyed.empty());
}

void what_waits_is_done_in_order_as_the_caps_allow(void**) {
    World world;
    world.budget = 2;
    for (std::uint64_t cookie = 1; cookie <= 5; ++cookie) {
        world.sockets.add(cookie);
        world.find(cookie);
    }
    assert_int_equal(world.sockets.destroyed.size(), 2);
    assert_int_equal(world.resetter.waiting(), 3);
    world.sockets.add(3, 10); // is heard of meanwhile
    world.budget = 1;
    world.resetter.turn(start + 60s);
    assert_true(world.sockets.destroyed == std::vector<std::uint64_t>({1, 2, 4}));
    assert_int_equal(world.count(FlowAct::recovered), 1);
    assert_true(world.told.back() == std::pair(FlowAct::reset, true));
    world.resetter.turn(start + FlowResetter::longest_wait);
    assert_true(world.last() == FlowAct::too_old);
    assert_false(world.resetter.has_waiting());
}

void a_turn_destroys_so_many_and_no_more(void**) {
    World world;
    const auto wanted = 2 * FlowResetter::most_a_turn + 10;
    for (std::uint64_t cookie = 1; cookie <= wanted; ++cookie) {
        world.sockets.add(cookie);
        world.find(cookie);
    }
    assert_int_equal(world.sockets.destroyed.size(), FlowResetter::most_a_turn);
    world.resetter.turn(start + 100ms);
    assert_int_equal(world.sockets.destroyed.size(), 2 * FlowResetter::most_a_turn);
    world.resetter.turn(start + 200ms);
    assert_int_equal(world.sockets.destroyed.size(), wanted);
}

void waiting_has_a_bound(void**) {
    World world;
    world.budget = 0;
    for (std::uint64_t cookie = 1; cookie <= FlowResetter::most_waiting + 3; ++cookie) {
        world.sockets.add(cookie);
        world.find(cookie);
    }
    assert_int_equal(world.resetter.waiting(), FlowResetter::most_waiting);
    assert_int_equal(world.count(FlowAct::full), 3);
}

void another_policy_lets_go_of_what_waits(void**) {
    World world;
    world.budget = 0;
    world.sockets.add(7);
    world.find(7);
    world.budget = 9;
    world.rules.mode = Mode::observe;
    world.resetter.turn(start + 1s);
    assert_true(world.last() == FlowAct::observe);
    assert_true(world.sockets.destroyed.empty());
}

} // namespace

TEST_GROUP(flow_resetter) {
    const CMUnitTest tests[] = {cmocka_unit_test(what_is_dead_is_destroyed),
                                cmocka_unit_test(a_dead_path_is_given_time),
                                cmocka_unit_test(a_path_with_a_long_round_trip_is_given_more),
                                cmocka_unit_test(it_leaves_the_queue_when_its_destination_answers),
                                cmocka_unit_test(only_kinds_that_are_named_are_destroyed),
                                cmocka_unit_test(subflows_and_flows_of_no_service_are_left_alone),
                                cmocka_unit_test(nothing_is_destroyed_where_it_may_not),
                                cmocka_unit_test(what_waits_is_done_in_order_as_the_caps_allow),
                                cmocka_unit_test(a_turn_destroys_so_many_and_no_more),
                                cmocka_unit_test(waiting_has_a_bound),
                                cmocka_unit_test(another_policy_lets_go_of_what_waits)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_flow_resetter

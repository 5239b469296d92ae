// SPDX-License-Identifier: Apache-2.0
// Verdicts become findings: one at once, many as a number, none lost without being counted.
#include <string>

#include "daemon/guards/half_open/half_open_digest.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_half_open_digest {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using guards::HalfOpenDigest;

const HalfOpenDigest::Monotonic start{1h};

HalfOpenVerdict dropped(std::uint16_t local_port, std::uint16_t remote_port = 5432) {
    HalfOpenVerdict made;
    made.kind = HalfOpenKind::silently_dropped;
    made.key.local = *parse_endpoint("10.0.0.1:1");
    made.key.local.port = local_port;
    made.key.remote = *parse_endpoint("10.0.0.5:1");
    made.key.remote.port = remote_port;
    made.key.cookie = local_port;
    made.netns = 7;
    made.service = "db";
    made.silent = 6200ms;
    made.tries = 3;
    made.packets_out = 1;
    made.queued = 17;
    made.others = 4;
    made.others_alive = 2;
    made.state = TcpState::established;
    made.owner = {812, "java", "orders.service"};
    return made;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

void one_verdict_is_told_with_its_evidence(void**) {
    HalfOpenDigest digest;
    digest.add(dropped(4000), Mode::observe);
    assert_true(digest.has_pending());
    const auto findings = digest.take(start);
    assert_int_equal(findings.size(), 1);
    assert_string_equal(name_of(findings[0].reason).data(), "half_open_flow");
    assert_string_equal(findings[0].destination.text().c_str(), "10.0.0.5:5432");
    assert_string_equal(findings[0].service.c_str(), "db");
    assert_string_equal(findings[0].evidence.c_str(),
                        "kind=silently_dropped mode=observe side=client flows=1 silent_ms=6200 "
                        "tries=3 in_flight=1 unacked_bytes=17 others=4 others_alive=2 netns=7 "
                        "flow=10.0.0.1:4000->10.0.0.5:5432");
    assert_string_equal(findings[0].kind.c_str(), "silently_dropped");
    assert_string_equal(findings[0].tcp_state.c_str(), "ESTAB");
    assert_int_equal(findings[0].netns, 7);
    assert_true(findings[0].owner == (SocketOwner{812, "java", "orders.service"}));
    assert_false(findings[0].acted.has_value());
    assert_false(digest.has_pending());
}

void whether_anything_was_done_is_a_fact(void**) {
    struct Case {
        FlowAct act;
        std::optional<bool> acted;
    };
    for (const Case& c :
         {Case{FlowAct::report, false}, Case{FlowAct::kind, false}, Case{FlowAct::observe, false},
          Case{FlowAct::dry_run, false}, Case{FlowAct::reset, true}, Case{FlowAct::failed, false},
          Case{FlowAct::too_old, false}, Case{FlowAct::full, false},
          Case{FlowAct::none, std::nullopt}, Case{FlowAct::waiting, std::nullopt},
          Case{FlowAct::held, std::nullopt}, Case{FlowAct::recovered, std::nullopt}}) {
        HalfOpenDigest digest;
        digest.add(dropped(4000), Mode::enforce, c.act);
        assert_true(digest.take(start)[0].acted == c.acted);
    }
}

void what_was_done_is_told_by_itself(void**) {
    HalfOpenDigest digest;
    digest.add(dropped(4000), Mode::enforce, FlowAct::reset);
    digest.add(dropped(4001), Mode::enforce, FlowAct::waiting);
    digest.add(dropped(4002), Mode::enforce, FlowAct::reset, true);
    digest.add(dropped(4003), Mode::enforce, FlowAct::recovered, true);
    std::string text;
    for (const auto& finding : digest.take(start))
        text += std::string(name_of(finding.reason)) + " " +
                finding.evidence.substr(0, finding.evidence.find(" silent")) + "\n";
    assert_string_equal(
        text.c_str(),
        "half_open_flow kind=silently_dropped mode=enforce act=waiting why=cap side=client "
        "flows=1\n"
        "half_open_flow kind=silently_dropped mode=enforce act=reset side=client flows=1\n"
        "half_open_flow_reset kind=silently_dropped mode=enforce act=reset side=client flows=1\n"
        "half_open_flow_spared kind=silently_dropped mode=enforce act=none why=recovered "
        "side=client "
        "flows=1\n");
}

void the_evidence_names_what_is_unusual(void**) {
    HalfOpenDigest digest;
    auto verdict = dropped(4000);
    verdict.direction = Direction::inbound;
    verdict.is_window_shut = true;
    verdict.unanswered = 5000ms;
    verdict.is_lossy = true;
    verdict.has_ended = true;
    verdict.witness = "silent";
    digest.add(verdict, Mode::enforce);
    const auto text = digest.take(start).at(0).evidence;
    for (const char* part : {"mode=enforce", "side=server", " window=0", " unanswered_ms=5000",
                             " lossy_path=true", " ended=ETIMEDOUT", " fresh_connect=silent"})
        assert_true(has(text, part));
}

void many_become_a_number(void**) {
    HalfOpenDigest digest;
    for (std::uint16_t port = 1; port <= 5000; ++port)
        digest.add(dropped(port), Mode::observe);
    const auto findings = digest.take(start);
    assert_int_equal(findings.size(), 1);
    assert_true(has(findings[0].evidence, "flows=5000"));
    assert_true(has(findings[0].evidence, "10.0.0.1:5->10.0.0.5:5432"));
    assert_false(has(findings[0].evidence, "10.0.0.1:6->"));
    assert_int_equal(digest.coalesced(), 4995);
}

void what_follows_soon_waits(void**) {
    HalfOpenDigest digest;
    digest.add(dropped(1), Mode::observe);
    assert_int_equal(digest.take(start).size(), 1);
    digest.add(dropped(2), Mode::observe);
    digest.add(dropped(3), Mode::observe);
    assert_int_equal(digest.take(start + 999ms).size(), 0);
    assert_true(digest.has_pending());
    const auto findings = digest.take(start + 1s);
    assert_int_equal(findings.size(), 1);
    assert_true(has(findings[0].evidence, "flows=2"));
    assert_int_equal(digest.coalesced(), 0);
}

void kinds_peers_and_services_are_told_apart(void**) {
    HalfOpenDigest digest;
    auto down = dropped(1);
    down.kind = HalfOpenKind::path_down;
    auto other = dropped(2);
    other.service = "";
    auto cleared = dropped(3);
    cleared.kind = HalfOpenKind::cleared;
    for (const auto& verdict : {dropped(4), down, other, cleared, dropped(5, 80)})
        digest.add(verdict, Mode::observe);
    const auto findings = digest.take(start);
    assert_int_equal(findings.size(), 5);
    unsigned over = 0;
    for (const auto& finding : findings)
        over += finding.reason == findings::Reason::half_open_flow_cleared ? 1U : 0U;
    assert_int_equal(over, 1);
}

void too_many_peers_wait_for_their_turn(void**) {
    HalfOpenDigest digest;
    for (std::uint16_t port = 1; port <= 120; ++port)
        digest.add(dropped(1, port), Mode::observe);
    std::size_t told = 0;
    for (int turn = 0; digest.has_pending(); ++turn) {
        const auto findings = digest.take(start + turn * 100ms);
        assert_true(findings.size() <= HalfOpenDigest::most_findings);
        told += findings.size();
        assert_true(turn < 10);
    }
    assert_int_equal(told, 120);
}

void the_table_is_bounded(void**) {
    HalfOpenDigest digest;
    for (std::uint32_t port = 1; port <= HalfOpenDigest::most_groups + 3; ++port)
        digest.add(dropped(1, static_cast<std::uint16_t>(port)), Mode::observe);
    assert_int_equal(digest.coalesced(), 3);
}

} // namespace

TEST_GROUP(half_open_digest) {
    const CMUnitTest tests[] = {cmocka_unit_test(one_verdict_is_told_with_its_evidence),
                                cmocka_unit_test(what_was_done_is_told_by_itself),
                                cmocka_unit_test(whether_anything_was_done_is_a_fact),
                                cmocka_unit_test(the_evidence_names_what_is_unusual),
                                cmocka_unit_test(many_become_a_number),
                                cmocka_unit_test(what_follows_soon_waits),
                                cmocka_unit_test(kinds_peers_and_services_are_told_apart),
                                cmocka_unit_test(too_many_peers_wait_for_their_turn),
                                cmocka_unit_test(the_table_is_bounded)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_half_open_digest

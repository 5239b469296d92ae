// SPDX-License-Identifier: Apache-2.0
// daemon/api/json and list: the texts that docs/openapi.json promises.
#include <array>
#include <limits>
#include <string>

#include "daemon/api/json.h"
#include "daemon/api/list.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_json {

namespace {

using namespace ballast;
using namespace ballast::api;
using namespace std::chrono_literals;

Endpoint at(std::string_view text) {
    return parse_endpoint(text).value();
}

void assert_text(const Json& json, const char* wanted) {
    assert_string_equal(text_of(json).c_str(), wanted);
}

void times(void**) {
    struct Case {
        std::chrono::nanoseconds since_epoch;
        const char* text;
    };
    for (const Case& c : std::array{
             Case{0s, "1970-01-01T00:00:00.000Z"},
             Case{1'714'539'600s + 250ms, "2024-05-01T05:00:00.250Z"},
             Case{1'709'251'199s + 999ms + 999us, "2024-02-29T23:59:59.999Z"},
             Case{2'147'483'648s, "2038-01-19T03:14:08.000Z"},
         }) {
        const WallTime time(std::chrono::duration_cast<WallTime::duration>(c.since_epoch));
        assert_string_equal(rfc3339(time).c_str(), c.text);
    }
}

/// Whatever their order.
void assert_members(const Json& json, const char* wanted) {
    const auto unordered = nlohmann::json::parse(json.dump());
    assert_string_equal(unordered.dump().c_str(), nlohmann::json::parse(wanted).dump().c_str());
}

void governed_row(void**) {
    DestinationRow destination{
        at("[2001:db8::5]:5432"), "orders-db", Mode::enforce, 10, 7, 1, 2, 3, 4, -5, 312s, 347s};
    destination.learned_in = parse_prefix("2001:db8::/64").value();
    const PeerRow peer{at("[2001:db8::5]:5432"), "orders-db", 9, 6, 1, 2, 1, 640, 31'000};
    assert_members(encode_health({&destination, &peer, HealthState::retransmitting}),
                   R"({"endpoint":"[2001:db8::5]:5432","service":"orders-db",)"
                   R"("state":"retransmitting","reason":"unacknowledged","mode":"enforce",)"
                   R"("max_connections":10,"in_use":7,"admitted":1,"refused":3,"over_limit":4,)"
                   R"("adopted":2,"drift":-5,"idle_survived_ms":312000,"idle_died_ms":347000,)"
                   R"("idle_learned_in":"2001:db8::/64",)"
                   R"("connections":9,"established":6,"connecting":1,)"
                   R"("closing":2,"retransmitting":1,"rtt_median_us":640,"idle_max_ms":31000})");
}

void row_without_sockets(void**) {
    const DestinationRow destination{
        at("10.0.0.5:80"), "web", Mode::observe, std::nullopt, 0, 0, 0, 0, 0, 0};
    assert_members(
        encode_health({.destination = &destination, .state = HealthState::idle}),
        R"({"endpoint":"10.0.0.5:80","service":"web","state":"idle",)"
        R"("reason":"no_connections","mode":"observe","max_connections":null,"in_use":0,)"
        R"("admitted":0,"refused":0,"over_limit":0,"adopted":0,"drift":0,)"
        R"("idle_survived_ms":null,"idle_died_ms":null,"idle_learned_in":null,)"
        R"("connections":0,)"
        R"("established":0,"connecting":0,"closing":0,"retransmitting":0,)"
        R"("rtt_median_us":null,"idle_max_ms":null})");
}

void ungoverned_row(void**) {
    const PeerRow peer{at("10.0.0.5:80"), "", 1, 1, 0, 0, 0, 0, 5};
    assert_members(
        encode_health({nullptr, &peer, HealthState::ok}),
        R"({"endpoint":"10.0.0.5:80","service":null,"state":"ok","reason":"not_governed",)"
        R"("mode":null,"max_connections":null,"in_use":null,"admitted":null,)"
        R"("refused":null,"over_limit":null,"adopted":null,"drift":null,)"
        R"("idle_survived_ms":null,"idle_died_ms":null,"idle_learned_in":null,)"
        R"("connections":1,)"
        R"("established":1,"connecting":0,"closing":0,"retransmitting":0,)"
        R"("rtt_median_us":null,"idle_max_ms":5})");
}

void flow(void**) {
    FlowRow row;
    row.local = at("10.0.0.1:4000");
    row.remote = at("10.0.0.5:80");
    row.state = "SYN-SENT";
    assert_members(encode_flow(row),
                   R"({"local":"10.0.0.1:4000","remote":"10.0.0.5:80","direction":"outbound",)"
                   R"("state":"SYN-SENT","service":null,"reserved":false,"retransmits":0,)"
                   R"("rtt_us":null,"idle_ms":0,"keepalive":null,"cookie":null,"netns":0})");
    row.direction = Direction::inbound;
    row.cookie = 77;
    row.netns = 4026531840;
    row.rtt_us = 5;
    row.retransmits = 255;
    row.reserved = true;
    row.service = "web";
    row.keepalive = {true, KeepaliveSetter::ballast, KeepaliveLack::leave, 9, 57, 10, 147'000};
    assert_members(
        encode_flow(row),
        R"({"local":"10.0.0.1:4000","remote":"10.0.0.5:80","direction":"inbound",)"
        R"("state":"SYN-SENT","service":"web","reserved":true,"retransmits":255,)"
        R"("rtt_us":5,"idle_ms":0,"keepalive":{"on":true,"set_by":"ballast","wanted":true,)"
        R"("why_not":"observe",)"
        R"("idle_s":57,"interval_s":10,"count":9,"user_timeout_ms":147000},)"
        R"("cookie":77,"netns":4026531840})");
    row.keepalive.set_by = KeepaliveSetter::application;
    assert_text(encode_flow(row).at("keepalive").at("set_by"), R"("app")");
}

Service small_service() {
    Service service;
    service.name = "web";
    service.to = {parse_target("10.0.0.0/8:80-90").value()};
    service.on_limit = OnLimit::again;
    service.mode = Mode::off;
    service.origin = "p.toml:3";
    return service;
}

void plain_service(void**) {
    assert_text(
        encode_service(small_service()),
        R"({"service":"web","to":["10.0.0.0/8:80-90"],"resolved":[],"from":[],)"
        R"("max_connections":null,)"
        R"("max_connections_total":null,"max_per_consumer":null,"max_connect_rate":null,)"
        R"("burst":null,"connect_timeout_ms":null,"mode":"off","on_limit":"again",)"
        R"("breaker":{"mode":"observe","window_ms":10000,"thresholds":{"timed_out":5,)"
        R"("refused":10,"unreachable":5,"slow":10,"reset":10,"half_open_flow":3},)"
        R"("failure_percent":50,"slow_connect_ms":null,"reset_within_ms":null,"open_for_ms":500,)"
        R"("open_max_ms":1000,)"
        R"("probes":1,"ramp_ms":10000,"ramp_start_percent":10},)"
        R"("half_open":{"mode":"observe","action":"report","reset_kinds":["silently_dropped"],)"
        R"("path_down_after_ms":30000,"confirm_retransmits":3,)"
        R"("response_timeout_ms":null,"witness":"passive"},)"
        R"("keepalive":{"mode":"observe","kind":"auto","start_s":60,"idle_s":null,)"
        R"("interval_s":null,"count":null,"learn_prefix_ipv4":32,"learn_prefix_ipv6":128},)"
        R"("ports":{"mode":"observe","relief":[],"source_pool":[]},"origin":"p.toml:3"})");
}

void full_service(void**) {
    Service service = small_service();
    service.to_names = {parse_named_target("DB.internal.:5432").value()};
    service.resolved = {{service.to.at(0), "db.internal"}};
    service.from = {"a.service", "/b"};
    service.max_connections = 1;
    service.max_connections_total = 2;
    service.max_per_consumer = 3;
    service.max_connect_rate = 4;
    service.connect_timeout = 5s;
    service.breaker.slow_connect = 6ms;
    service.breaker.reset_within = 7ms;
    service.breaker.ramp = 0ms;
    service.half_open = {
        Mode::enforce,
        HalfOpenAction::reset,
        5,
        9ms,
        HalfOpenWitness::connect,
        HalfOpenKinds().with(HalfOpenKind::path_down).with(HalfOpenKind::peer_hung),
        7ms};
    service.keepalive = {Mode::enforce, KeepaliveKind::fixed, 60s, 30s, 5s, 4, {}};
    service.ports = {Mode::enforce,
                     Reliefs().with(Relief::widen).with(Relief::flip),
                     {parse_address("::1").value()}};
    Json json = encode_service(service);
    assert_int_equal(json.at("burst").get<int>(), 4); // as the rate
    service.burst = 8;
    json = encode_service(service);
    const Json breaker = json.at("breaker");
    assert_text(json.at("half_open"),
                R"({"mode":"enforce","action":"reset","reset_kinds":["path_down","peer_hung"],)"
                R"("path_down_after_ms":7,"confirm_retransmits":5,)"
                R"("response_timeout_ms":9,"witness":"connect"})");
    json.erase("half_open");
    assert_text(json.at("keepalive"),
                R"({"mode":"enforce","kind":"fixed","start_s":null,"idle_s":30,"interval_s":5,)"
                R"("count":4,"learn_prefix_ipv4":null,"learn_prefix_ipv6":null})");
    json.erase("keepalive");
    json.erase("breaker");
    assert_text(
        json,
        R"({"service":"web","to":["db.internal:5432","10.0.0.0/8:80-90"],)"
        R"("resolved":[{"target":"10.0.0.0/8:80-90","name":"db.internal"}],)"
        R"("from":["a.service","/b"],"max_connections":1,)"
        R"("max_connections_total":2,"max_per_consumer":3,"max_connect_rate":4,)"
        R"("burst":8,"connect_timeout_ms":5000,"mode":"off","on_limit":"again",)"
        R"("ports":{"mode":"enforce","relief":["flip","widen"],"source_pool":["::1"]},"origin":"p.toml:3"})");
    assert_int_equal(breaker.at("slow_connect_ms").get<int>(), 6);
    assert_int_equal(breaker.at("reset_within_ms").get<int>(), 7);
    assert_int_equal(breaker.at("ramp_ms").get<int>(), 0);
}

void explained(void**) {
    const Service service = small_service();
    ExplainedTarget row{0, service.to.at(0), "", Applies::to_its_consumers, "why"};
    assert_text(encode_explained(row, service),
                R"({"target":"10.0.0.0/8:80-90","name":null,"service":"web","from":null,)"
                R"("applies":"to_its_consumers","reason":"why","mode":"off",)"
                R"("breaker_mode":"observe","origin":"p.toml:3"})");
    row.from = "a.service";
    row.name = "db.internal";
    row.applies = Applies::from_does_not_match;
    const Json json = encode_explained(row, service);
    assert_string_equal(json.at("from").get<std::string>().c_str(), "a.service");
    assert_string_equal(json.at("name").get<std::string>().c_str(), "db.internal");
    assert_string_equal(json.at("applies").get<std::string>().c_str(), "from_does_not_match");
}

void breaker(void**) {
    BreakerRow row;
    row.endpoint = at("10.0.0.5:80");
    assert_members(encode_breaker(row),
                   R"({"endpoint":"10.0.0.5:80","service":null,"mode":"observe","state":"closed",)"
                   R"("since_ms":null,"until_ms":null,"level":0,"failures":{"timed_out":0,)"
                   R"("refused":0,"unreachable":0,"slow":0,"reset":0,"half_open_flow":0},)"
                   R"("last_error":null,"opened":0,"withheld":0,"refused":0,"would_refuse":0,)"
                   R"("forced":null,"forced_by":null,"forced_reason":null,"forced_for_ms":null})");
    row = {row.endpoint,
           "web",
           Mode::enforce,
           BreakerState::half_open,
           1ms,
           0ms,
           3,
           {4, 5, 6, 7, 8, 9},
           "ETIMEDOUT",
           10,
           11,
           12,
           13,
           BreakerForce::open,
           "uid 7",
           "a \"test\"",
           14ms};
    assert_members(encode_breaker(row),
                   R"({"endpoint":"10.0.0.5:80","service":"web","mode":"enforce",)"
                   R"("state":"half-open","since_ms":1,"until_ms":0,"level":3,)"
                   R"("failures":{"timed_out":4,"refused":5,"unreachable":6,"slow":7,"reset":8,)"
                   R"("half_open_flow":9},"last_error":"ETIMEDOUT","opened":10,"withheld":11,)"
                   R"("refused":12,"would_refuse":13,"forced":"open","forced_by":"uid 7",)"
                   R"("forced_reason":"a \"test\"","forced_for_ms":14})");
}

void order(void**) {
    BreakerOrder row{at("10.0.0.5:80"), BreakerForce::none, "", std::nullopt, "uid 7"};
    assert_text(encode_order(row), R"({"endpoint":"10.0.0.5:80","force":null,"reason":null,)"
                                   R"("lasts_ms":null,"by":"uid 7"})");
    row = {row.endpoint, BreakerForce::closed, "why", 2h, "uid 7"};
    assert_text(encode_order(row), R"({"endpoint":"10.0.0.5:80","force":"closed","reason":"why",)"
                                   R"("lasts_ms":7200000,"by":"uid 7"})");
}

void override_row(void**) {
    Override row;
    row.target = "web";
    row.set_by = "uid 7";
    assert_text(encode_override(row, WallTime(9s)),
                R"({"target":"web","max_connections":null,"max_connections_total":null,)"
                R"("max_per_consumer":null,"max_connect_rate":null,"burst":null,"mode":null,)"
                R"("on_limit":null,"set_by":"uid 7","set_at":"1970-01-01T00:00:00.000Z",)"
                R"("expires_at":null,"expires_in_ms":null})");
    row.max_connections = 3;
    row.max_connections_total = 4;
    row.max_per_consumer = 2;
    row.max_connect_rate = 50;
    row.burst = 60;
    row.mode = Mode::enforce;
    row.on_limit = OnLimit::unreachable;
    row.expires_at = WallTime(60s);
    const std::string all =
        R"({"target":"web","max_connections":3,"max_connections_total":4,"max_per_consumer":2,)"
        R"("max_connect_rate":50,"burst":60,"mode":"enforce","on_limit":"unreachable",)"
        R"("set_by":"uid 7","set_at":"1970-01-01T00:00:00.000Z",)"
        R"("expires_at":"1970-01-01T00:01:00.000Z","expires_in_ms":)";
    assert_text(encode_override(row, WallTime(9s)), (all + "51000}").c_str());
    assert_text(encode_override(row, WallTime(61s)), (all + "0}").c_str());
}

/// Whatever the programs count is in the status, under its group.
void every_counter_is_shown(void**) {
    for (std::size_t i = 0; i < kCounters.size(); ++i) {
        DaemonStatus now;
        now.counters[static_cast<Counter>(i)] = 7;
        const Json json = encode_status(now, {}, {}, WallTime(0s));
        const auto& row = kCounters.at(i);
        const auto& group = kCounterGroups.at(static_cast<std::size_t>(row.group));
        assert_int_equal(json.at(std::string(group.name)).at(std::string(row.name)).get<int>(), 7);
    }
}

void status(void**) {
    DaemonStatus now;
    now.started = WallTime(100s);
    now.policy_loaded = WallTime(300s); // the wall clock was set back
    now.sweep.interval = 5s;
    now.sweep.last_cpu = 50ms;
    now.half_open = {
        1, 2, {3, 4, 5, 20, 21, 22, 23, 24, 6, 7}, 8, 9, 10, 12, 13, 14, 15, 16, 17, true, 18, 19};
    now.keepalive = {14, 15};
    now.findings.made.at(static_cast<std::size_t>(findings::Reason::limit_cleared)) = 1;
    now.findings.made.at(static_cast<std::size_t>(findings::Reason::limit_refusing)) = 2;
    now.findings.made.at(static_cast<std::size_t>(findings::Reason::half_open_flow)) = 3;
    now.findings.made.at(static_cast<std::size_t>(findings::Reason::hook_lost)) = 4;
    now.findings.coalesced = 6;
    now.findings.kept = 7;
    now.findings.unsaved = 8;
    now.findings.left_out = 13;
    now.findings.owners_skipped = 9;
    now.findings.lost = 10;
    now.findings.saves_failed = 11;
    now.findings.unreadable = 12;
    const Json json = encode_status(now, {}, {}, WallTime(200s));
    assert_int_equal(json.at("uptime_ms").get<int>(), 100'000);
    assert_int_equal(json.at("policy").at("age_ms").get<int>(), 0);
    assert_true(json.at("policy").at("error").is_null());
    assert_true(json.at("sweep").at("cpu_percent") == 1.0);
    assert_int_equal(json.at("sweep").at("last_cpu_us").get<int>(), 50'000);
    assert_text(json.at("governor"), R"({"dry_run":false})");
    assert_text(
        json.at("half_open"),
        R"({"suspects":1,"suspected":2,"silently_dropped":3,"path_down":4,"peer_hung":5,)"
        R"("not_accepted":20,"mtu_black_hole":21,"client_silent":22,"address_gone":23,)"
        R"("local_fault":24,"refused_late":6,"cleared":7,"recovered":8,"ended":9,"coalesced":10,)"
        R"("reset":14,"reset_withheld":15,"reset_waiting":16,)"
        R"("holding":true,"dead_paths":18,"paths":19})");
    assert_text(json.at("half_open_losses"),
                R"({"suspicions_lost":0,"table_full":12,"not_looked_at":13,"reset_failed":17})");
    assert_text(json.at("keepalive"), R"({"kept_alive":14,"wanted":15})");
    assert_text(json.at("findings"), R"({"info":1,"warning":5,"critical":4,"coalesced":6,"kept":7,)"
                                     R"("unsaved":8,"left_out":13,"owners_skipped":9})");
    assert_text(json.at("finding_losses"), R"({"lost":10,"saves_failed":11,"unreadable":12})");
    now.governor_dry_run = true;
    now.policy_error = "line 3";
    now.sweep.interval = 0ms;
    const Json bad = encode_status(now, {}, {}, WallTime(200s));
    assert_string_equal(bad.at("policy").at("error").get<std::string>().c_str(), "line 3");
    assert_text(bad.at("governor"), R"({"dry_run":true})");
    assert_true(bad.at("sweep").at("cpu_percent") == 0.0);
}

void totals(void**) {
    std::vector<DestinationRow> rows(5);
    rows[0].max_connections = 5;
    rows[0].in_use = 5;
    rows[1].max_connections = 5;
    rows[1].in_use = 6;
    rows[1].drift = -2;
    rows[2].in_use = 99; // no limit
    rows[2].refused = 4;
    rows[3].max_connections = 5;
    rows[3].in_use = 7;
    rows[3].mode = Mode::off;
    rows[4].over_limit = 8;
    rows[4].refused = 1;
    const LimitTotals sum = total_limits(rows);
    assert_int_equal(sum.at_limit, 2);
    assert_int_equal(sum.over_limit, 1);
    assert_int_equal(sum.refused, 5);
    assert_int_equal(sum.admitted_over, 8);
    assert_int_equal(sum.drifted, 1);
}

void lists(void**) {
    ListText empty(list_envelope("flows", 0, 0), "flows");
    assert_string_equal(empty.finish().c_str(),
                        R"({"schema":1,"kind":"flows","total":0,"returned":0,"flows":[]})");
    ListText two(list_envelope("flows", 9, 2), "flows");
    two.add({{"a", 1}});
    two.add({{"a", 2}});
    assert_string_equal(two.finish().c_str(), R"({"schema":1,"kind":"flows","total":9,)"
                                              R"("returned":2,"flows":[{"a":1},{"a":2}]})");
}

void errors(void**) {
    assert_text(encode_error("busy", "too \"much\"", ""),
                R"({"schema":1,"error":{"code":"busy","message":"too \"much\"","hint":null}})");
    assert_text(encode_error("busy", "m\xff", "wait"), "{\"schema\":1,\"error\":{\"code\":\"busy\","
                                                       "\"message\":\"m\xef\xbf\xbd\","
                                                       "\"hint\":\"wait\"}}");
}

} // namespace

TEST_GROUP(json) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(times),
        cmocka_unit_test(governed_row),
        cmocka_unit_test(row_without_sockets),
        cmocka_unit_test(ungoverned_row),
        cmocka_unit_test(flow),
        cmocka_unit_test(plain_service),
        cmocka_unit_test(full_service),
        cmocka_unit_test(explained),
        cmocka_unit_test(breaker),
        cmocka_unit_test(order),
        cmocka_unit_test(override_row),
        cmocka_unit_test(every_counter_is_shown),
        cmocka_unit_test(status),
        cmocka_unit_test(totals),
        cmocka_unit_test(lists),
        cmocka_unit_test(errors),
    };
    return cmocka_run_group_tests_name("json", tests, nullptr, nullptr);
}

} // namespace test_json

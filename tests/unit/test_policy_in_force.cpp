// SPDX-License-Identifier: Apache-2.0
// Promise: what holds now is answered in one place: by name, by endpoint, and with the kill switch.
#include "daemon/model/policy_in_force.h"
#include "tests/harness/group.h"

#include "tests/harness/cmocka.hpp"

namespace test_policy_in_force {

using namespace ballast;

namespace {

PolicyInForce in_force(bool is_armed) {
    Policy policy;
    policy.modes.at(static_cast<std::size_t>(GuardKind::limit)) = Mode::off;
    policy.modes.at(static_cast<std::size_t>(GuardKind::half_open)) = Mode::enforce;
    Service db;
    db.name = "db";
    db.to = {*parse_target("10.0.0.0/8")};
    db.mode = Mode::enforce;
    db.breaker.mode = Mode::off;
    db.keepalive.mode = Mode::enforce;
    Service batch;
    batch.name = "batch";
    batch.to = {*parse_target("10.0.0.5")};
    batch.from = {"batch.service"};
    policy.services = {db, batch};
    return {std::move(policy), {7, 9}, 3, is_armed};
}

void a_disarm_leaves_no_guard_more_than_observe(void**) {
    struct Case {
        const char* service;
        GuardKind guard;
        Mode armed;
        Mode disarmed;
    };
    for (const Case& c : {
             Case{"db", GuardKind::limit, Mode::enforce, Mode::observe},
             Case{"db", GuardKind::breaker, Mode::off, Mode::off},
             Case{"db", GuardKind::half_open, Mode::observe, Mode::observe},
             Case{"db", GuardKind::keepalive, Mode::enforce, Mode::observe},
             Case{"", GuardKind::limit, Mode::off, Mode::off},
             Case{"", GuardKind::breaker, Mode::observe, Mode::observe},
             Case{"", GuardKind::half_open, Mode::enforce, Mode::observe},
             Case{"", GuardKind::keepalive, Mode::observe, Mode::observe},
         }) {
        const auto armed = in_force(true);
        const auto disarmed = armed.with_armed(false);
        assert_int_equal(armed.mode(c.guard, armed.service(c.service)), c.armed);
        assert_int_equal(disarmed.mode(c.guard, disarmed.service(c.service)), c.disarmed);
        assert_true(disarmed.policy() == armed.policy());
        assert_int_equal(disarmed.generation(), 3);
    }
}

void services_are_found_by_name(void**) {
    const auto now = in_force(true);
    assert_ptr_equal(now.service("batch"), &now.policy().services.at(1));
    assert_null(now.service("gone"));
    assert_int_equal(now.id_of("batch"), 9);
    assert_int_equal(now.id_of("gone"), 0);
}

/// A `from` governs some consumers only, and nobody was named.
void and_by_what_they_govern(void**) {
    const auto now = in_force(true);
    assert_string_equal(now.governing(*parse_endpoint("10.0.0.5:80"))->name.c_str(), "db");
    assert_null(now.governing(*parse_endpoint("192.0.2.1:80")));
}

void what_the_maps_do_not_know_has_no_id(void**) {
    const auto now = in_force(true);
    const PolicyInForce unknown(now.policy(), {}, 1, true);
    assert_int_equal(unknown.id_of("db"), 0);
    assert_non_null(unknown.service("db"));
}

/// What a service refuses makes no difference to where its sockets count; whose they are does.
void counts_change_with_what_is_governed(void**) {
    struct Case {
        const char* what;
        void (*change)(Policy& policy);
        bool is_alike;
    };
    const auto before = in_force(true).policy();
    assert_true(counts_alike(before, before));
    for (const Case& c : std::array{
             Case{"a limit", [](Policy& p) { p.services[0].max_connections = 3; }, true},
             Case{"a rate", [](Policy& p) { p.services[0].max_connect_rate = 3; }, true},
             Case{"observe", [](Policy& p) { p.services[0].mode = Mode::observe; }, true},
             Case{"a breaker", [](Policy& p) { p.services[0].breaker.probes = 9; }, true},
             Case{"the daemon's", [](Policy& p) { p.daemon.daemon_grace = {}; }, true},
             Case{"a breaker's mode", [](Policy& p) { p.services[1].breaker.mode = Mode::enforce; },
                  true},
             Case{"a breaker off", [](Policy& p) { p.services[1].breaker.mode = Mode::off; },
                  false},
             Case{"a breaker on", [](Policy& p) { p.services[0].breaker.mode = Mode::observe; },
                  false},
             Case{"keepalive off", [](Policy& p) { p.services[0].keepalive.mode = Mode::off; },
                  false},
             Case{"off", [](Policy& p) { p.services[0].mode = Mode::off; }, false},
             Case{"a total", [](Policy& p) { p.services[0].max_connections_total = 3; }, false},
             Case{"a share", [](Policy& p) { p.services[0].max_per_consumer = 3; }, false},
             Case{"a target", [](Policy& p) { p.services[0].to.push_back(*parse_target("::1")); },
                  false},
             Case{"a consumer", [](Policy& p) { p.services[1].from.clear(); }, false},
             Case{"a service", [](Policy& p) { p.services.pop_back(); }, false},
             Case{"the order", [](Policy& p) { std::swap(p.services[0], p.services[1]); }, false},
         }) {
        Policy after = before;
        c.change(after);
        if (counts_alike(before, after) != c.is_alike)
            fail_msg("%s", c.what);
    }
}

} // namespace

TEST_GROUP(policy_in_force) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_disarm_leaves_no_guard_more_than_observe),
        cmocka_unit_test(services_are_found_by_name),
        cmocka_unit_test(and_by_what_they_govern),
        cmocka_unit_test(what_the_maps_do_not_know_has_no_id),
        cmocka_unit_test(counts_change_with_what_is_governed),
    };
    return cmocka_run_group_tests_name("policy_in_force", tests, nullptr, nullptr);
}

} // namespace test_policy_in_force

// SPDX-License-Identifier: Apache-2.0
// daemon/kernel/service_row: what a restarted daemon reads back of a policy whose files are
// refused.
#include <array>

#include "daemon/kernel/service_row.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_service_row {

namespace {

using namespace ballast;
using namespace std::chrono_literals;

Service there_and_back(const Service& service) {
    const ballast_service row = kernel::to_row(service, 7);
    assert_int_equal(row.service, 7);
    return kernel::from_row(row);
}

/// No field has its default.
Service full() {
    Service service;
    service.max_connections = 100;
    service.max_connections_total = 250;
    service.max_per_consumer = 40;
    service.max_connect_rate = 30;
    service.burst = 90;
    service.connect_timeout = 2s;
    service.on_limit = OnLimit::unreachable;
    service.mode = Mode::enforce;
    service.breaker = {.mode = Mode::enforce,
                       .window = 7s,
                       .thresholds = {1, 2, 3, 4, 5, 6},
                       .failure_percent = 35,
                       .slow_connect = 300ms,
                       .reset_within = 400ms,
                       .open_for = 1500ms,
                       .open_max = 90s,
                       .probes = 3,
                       .ramp = 12s,
                       .ramp_start = 25};
    service.keepalive = {Mode::enforce, KeepaliveKind::fixed, 60s, 70s, 5s, 4, {20, 48}, 80s};
    return service;
}

void everything_comes_back(void**) {
    assert_true(there_and_back(full()) == full());
}

void none_stays_none(void**) {
    assert_true(there_and_back(Service{}) == Service{});
}

void keepalive_starts_where_it_said(void**) {
    Service service;
    service.keepalive.start = 45s;
    assert_true(there_and_back(service) == service);
    service.keepalive = {};
    service.keepalive.kind = KeepaliveKind::off;
    assert_true(there_and_back(service) == service);
}

void each_limit_by_itself(void**) {
    for (const auto field :
         {&Service::max_connections, &Service::max_connections_total, &Service::max_per_consumer}) {
        Service one;
        one.*field = 5;
        assert_true(there_and_back(one) == one);
    }
}

/// Without a burst the rate is the burst; the map does not tell which was written.
void burst_is_named(void**) {
    Service service;
    service.max_connect_rate = 30;
    const Service back = there_and_back(service);
    assert_int_equal(back.max_connect_rate.value_or(0), 30);
    assert_int_equal(back.burst, 30);
}

void rates_come_back_as_applied(void**) {
    struct Case {
        std::uint32_t set;
        std::uint32_t applied;
    };
    for (const Case& c :
         std::array{Case{1, 1}, Case{3, 3}, Case{7'919, 7'919}, Case{31'622, 31'622},
                    Case{1'000'000, 1'000'000}, Case{999'999, 1'000'000}}) {
        Service service;
        service.max_connect_rate = c.set;
        service.burst = 17;
        const Service back = there_and_back(service);
        assert_int_equal(back.max_connect_rate.value_or(0), c.applied);
        assert_int_equal(back.burst, 17);
    }
}

void off_limits_nothing(void**) {
    Service off = full();
    off.mode = Mode::off;
    const Service back = there_and_back(off);
    assert_true(back.mode == Mode::off);
    assert_false(back.max_connections || back.max_connections_total || back.max_per_consumer ||
                 back.max_connect_rate);
    assert_true(back.breaker == off.breaker);
}

} // namespace

TEST_GROUP(service_row) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(none_stays_none),
        cmocka_unit_test(keepalive_starts_where_it_said),
        cmocka_unit_test(each_limit_by_itself),
        cmocka_unit_test(burst_is_named),
        cmocka_unit_test(rates_come_back_as_applied),
        cmocka_unit_test(off_limits_nothing),
    };
    return cmocka_run_group_tests_name("service_row", tests, nullptr, nullptr);
}

} // namespace test_service_row

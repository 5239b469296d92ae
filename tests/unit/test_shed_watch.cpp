// SPDX-License-Identifier: Apache-2.0
// daemon/guards/listeners/shed_watch: what is reported of shedding, and when, in made-up time.
#include "daemon/guards/listeners/shed_watch.h"

#include <string>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_shed_watch {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using guards::ShedWatch;

struct Host {
    ShedWatch watch;
    ShedRow row;
    ShedWatch::Monotonic now{1h};
    std::string evidence;

    Host() {
        row.rule.name = "web";
        row.rule.on = {parse_guarded("*:80").value()};
        row.mode = Mode::enforce;
    }
    /// Codes of what is reported a second later.
    std::string pass() {
        now += 1s;
        std::string said;
        for (const auto& finding : watch.read({row}, now)) {
            said += (said.empty() ? "" : " ") + std::string(name_of(finding.reason));
            evidence = finding.evidence;
        }
        return said;
    }
    std::string passes(int count) {
        std::string all;
        for (int i = 0; i < count; ++i)
            if (const auto one = pass(); !one.empty())
                all += (all.empty() ? "" : " ") + one;
        return all;
    }
    std::uint64_t& shed(ShedReason reason) {
        return row.counts.shed.at(static_cast<std::size_t>(reason));
    }
};

/// D1.
void one_finding_however_often_it_goes_on_and_off(void**) {
    Host host;
    assert_string_equal(host.passes(5).c_str(), "");
    for (int i = 0; i < 10; ++i) {
        host.shed(ShedReason::age) += 30;
        host.shed(ShedReason::rate) += 1;
        host.row.counts.admitted += 5;
        assert_string_equal(host.pass().c_str(), i == 0 ? "listener_shedding" : "");
        assert_string_equal(host.passes(50).c_str(), "");
    }
    assert_string_equal(host.evidence.c_str(),
                        "rule=web listener=*:80 by=age shed=31 admitted=5 spared=0");
    assert_string_equal(host.passes(60).c_str(), "listener_shed_over");
    assert_string_equal(host.evidence.c_str(),
                        "rule=web listener=*:80 by=age shed=310 admitted=50 spared=0");
    assert_string_equal(host.passes(120).c_str(), "");
    host.shed(ShedReason::depth) += 1;
    assert_string_equal(host.pass().c_str(), "listener_shedding");
}

/// D2.
void what_would_be_shed_is_said_as_that(void**) {
    Host host;
    host.row.mode = Mode::observe;
    host.shed(ShedReason::depth) = host.row.counts.withheld = 7;
    assert_string_equal(host.pass().c_str(), "listener_would_shed");
    assert_string_equal(host.evidence.c_str(),
                        "rule=web listener=*:80 by=depth shed=0 admitted=7 spared=0 would_shed=7");
    host.row.mode = Mode::enforce;
    host.shed(ShedReason::depth) += 2;
    assert_string_equal(host.pass().c_str(), "listener_shedding");
    host.shed(ShedReason::depth) += 2;
    assert_string_equal(host.pass().c_str(), "");
}

/// A rule that is gone and comes back has nothing to be over.
void what_is_gone_is_forgotten(void**) {
    Host host;
    host.shed(ShedReason::age) = 5;
    assert_string_equal(host.pass().c_str(), "listener_shedding");
    assert_int_equal(host.watch.read({}, host.now += 1s).size(), 0);
    host.row.counts = {};
    assert_string_equal(host.passes(100).c_str(), "");
}

} // namespace

TEST_GROUP(shed_watch) {
    const CMUnitTest tests[] = {cmocka_unit_test(one_finding_however_often_it_goes_on_and_off),
                                cmocka_unit_test(what_would_be_shed_is_said_as_that),
                                cmocka_unit_test(what_is_gone_is_forgotten)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_shed_watch

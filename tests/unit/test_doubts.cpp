// SPDX-License-Identifier: Apache-2.0
// daemon/policy/doubts: what a policy says and this host does not know, with file, line and key.
#include <array>
#include <string>

#include "daemon/policy/doubts.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_doubts {

namespace {

using namespace ballast;

PolicyReport report_of(const std::string& text) {
    auto report = parse_policy({{"p.toml", text}});
    assert_string_equal(report.errors.text().c_str(), "");
    return report;
}

struct FromCase {
    const char* from; ///< on line 4
    const char* wanted;
};

void elements_of_from(void**) {
    const std::vector<std::string> cgroups{"/", "/system.slice", "/system.slice/app-1.service",
                                           "/system.slice/cron.service"};
    for (const FromCase& c : std::array{
             FromCase{"'app-*.service'", ""},
             FromCase{"'/system.slice/cron.service', '/system.slice'", ""},
             FromCase{"'ap-*.service'",
                      "p.toml:4: key service.from: \"ap-*.service\" matches no cgroup at present; "
                      "it will hold for those that appear later"},
             FromCase{"'cron.service',\n'/system.slice/corn.service'",
                      "p.toml:5: key service.from: \"/system.slice/corn.service\" matches no "
                      "cgroup at present; it will hold for those that appear later"},
         }) {
        const auto report = report_of(
            fmt::format("[[service]]\nname = 'a'\nto = ['10.0.0.1']\nfrom = [{}]\n", c.from));
        assert_string_equal(policy::unmatched_from(report.from, cgroups).text().c_str(), c.wanted);
    }
}

/// Said wherever it stands: the two services may be in different files.
void an_element_of_two_services(void**) {
    const auto report = report_of("[[service]]\nname='a'\nto=['10.0.0.1']\nfrom=['x.service']\n"
                                  "[[service]]\nname='b'\nto=['10.0.0.2']\nfrom=['x.service']\n");
    const auto doubts = policy::unmatched_from(report.from, {"/"});
    assert_int_equal(doubts.problems().size(), 2);
    assert_int_equal(doubts.problems()[1].line, 8);
    assert_true(policy::unmatched_from(report.from, {"/x.service"}).empty());
}

/// "*" holds for any cgroup that there is, and no host is without one.
void the_cgroups_of_this_host(void**) {
    const auto report = report_of("[[service]]\nname='a'\nto=['10.0.0.1']\n"
                                  "from=['/',\n'no-such-unit-here.service']\n");
    const auto doubts = policy::find_unmatched_from(report.from);
    assert_int_equal(doubts.problems().size(), 1);
    assert_string_equal(doubts.problems()[0].key.c_str(), "service.from");
    assert_true(policy::find_unmatched_from({}).empty());
}

void names_that_do_not_resolve(void**) {
    const auto report = report_of("[[service]]\nname='a'\nto=['good:80',\n'bad:80']\n"
                                  "[[service]]\nname='b'\nto=['bad:90', 'good']\n");
    const std::vector<Lookup> lookups{{"bad", {}, "Name or service not known"},
                                      {"good", {*parse_address("10.0.0.1")}, {}}};
    assert_string_equal(
        policy::unresolved(report.names, lookups).text().c_str(),
        "p.toml:4: key service.to: \"bad:80\" does not resolve at present: Name or service not "
        "known; its addresses will be governed once it does\n"
        "p.toml:7: key service.to: \"bad:90\" does not resolve at present: Name or service not "
        "known; its addresses will be governed once it does");
    assert_true(policy::find_unresolved({}).empty());
}

} // namespace

TEST_GROUP(doubts) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(elements_of_from),
        cmocka_unit_test(an_element_of_two_services),
        cmocka_unit_test(the_cgroups_of_this_host),
        cmocka_unit_test(names_that_do_not_resolve),
    };
    return cmocka_run_group_tests_name("doubts", tests, nullptr, nullptr);
}

} // namespace test_doubts

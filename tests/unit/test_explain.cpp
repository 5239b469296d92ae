// SPDX-License-Identifier: Apache-2.0
// daemon/model/explain: which target governs, and what is said of the others.
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "daemon/model/explain.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_explain {

namespace {

using namespace ballast;

Service service(const char* name, const std::vector<const char*>& to,
                std::vector<std::string> from = {}) {
    Service out;
    out.name = name;
    out.from = std::move(from);
    for (const char* text : to)
        out.to.push_back(*parse_target(text));
    return out;
}

/// One target a line: "* NAME TARGET: REASON", with a star before the one that governs.
std::string told(const Policy& policy, const char* endpoint,
                 std::optional<std::string_view> cgroup_path) {
    const auto explanation = explain(policy, *parse_endpoint(endpoint), cgroup_path);
    std::string out;
    for (std::size_t i = 0; i < explanation.targets.size(); ++i) {
        const auto& row = explanation.targets[i];
        out += fmt::format("{} {} {}: {}\n", explanation.governing == i ? "*" : "-",
                           policy.services[row.service].name, row.target.text(), row.reason);
    }
    return out;
}

struct Case {
    const char* what;
    const char* endpoint;
    std::optional<std::string_view> from;
    const char* wanted;
};

void without_from(void**) {
    Policy policy;
    policy.services = {service("wide", {"10.0.0.0/8"}), service("any", {"10.0.0.5"}),
                       service("port", {"10.0.0.5:80", "10.0.0.5:70-90"}),
                       service("off", {"10.0.0.6"})};
    policy.services.back().mode = Mode::off;
    for (const Case& c : std::array{
             Case{"nothing covers it", "192.0.2.1:80", "/", ""},
             Case{"one does",
                  "10.9.9.9:80",
                  {},
                  "* wide 10.0.0.0/8: governs every consumer that no "
                  "from before it matches\n"},
             Case{"a longer prefix", "10.0.0.5:99", "/a",
                  "* any 10.0.0.5: governs\n"
                  "- wide 10.0.0.0/8: shadowed by any (10.0.0.5): the longer prefix goes first\n"},
             Case{"a range, said twice", "10.0.0.5:80", "/a",
                  "* port 10.0.0.5:70-90: governs\n"
                  "- port 10.0.0.5:80: shadowed by port (10.0.0.5:70-90): the service says it "
                  "twice\n"
                  "- any 10.0.0.5: shadowed by port (10.0.0.5:70-90): a port range goes before any "
                  "port\n"
                  "- wide 10.0.0.0/8: shadowed by port (10.0.0.5:70-90): the longer prefix goes "
                  "first\n"},
             Case{"mode off", "10.0.0.6:1", "/a",
                  "* off 10.0.0.6: governs; mode off leaves it alone\n"
                  "- wide 10.0.0.0/8: shadowed by off (10.0.0.6): the longer prefix goes first\n"},
         }) {
        print_message("# %s\n", c.what);
        assert_string_equal(told(policy, c.endpoint, c.from).c_str(), c.wanted);
    }
}

void with_from(void**) {
    Policy policy;
    policy.services = {
        service("rest", {"10.0.0.5"}), service("web", {"10.0.0.5"}, {"web-*", "www"}),
        service("slice", {"10.0.0.5"}, {"/s.slice"}), service("jobs", {"10.0.0.5:80"}, {"job-?"})};
    for (const Case& c : std::array{
             Case{"its own", "10.0.0.5:80", "/s.slice/job-1",
                  "* jobs 10.0.0.5:80: governs: from \"job-?\" matches\n"
                  "- slice 10.0.0.5: shadowed by jobs (10.0.0.5:80): a port range goes before any "
                  "port\n"
                  "- web 10.0.0.5: from does not match: \"web-*\", \"www\"\n"
                  "- rest 10.0.0.5: shadowed by jobs (10.0.0.5:80): a port range goes before any "
                  "port\n"},
             Case{"the longer element", "10.0.0.5:81", "/s.slice/web-1/www",
                  "* slice 10.0.0.5: governs: from \"/s.slice\" matches\n"
                  "- web 10.0.0.5: shadowed by slice (10.0.0.5): the longer element of from goes "
                  "first\n"
                  "- rest 10.0.0.5: shadowed by slice (10.0.0.5): with from goes before without\n"},
             Case{"nobody's", "10.0.0.5:81", "/t.slice",
                  "- slice 10.0.0.5: from does not match: \"/s.slice\"\n"
                  "- web 10.0.0.5: from does not match: \"web-*\", \"www\"\n"
                  "* rest 10.0.0.5: governs\n"},
             Case{"everyone at once",
                  "10.0.0.5:81",
                  {},
                  "- slice 10.0.0.5: governs consumers that match \"/s.slice\" and no from before\n"
                  "- web 10.0.0.5: governs consumers that match \"web-*\", \"www\" and no from "
                  "before\n"
                  "* rest 10.0.0.5: governs every consumer that no from before it matches\n"},
         }) {
        print_message("# %s\n", c.what);
        assert_string_equal(told(policy, c.endpoint, c.from).c_str(), c.wanted);
    }
}

void only_with_from(void**) {
    Policy policy;
    policy.services = {service("b", {"10.0.0.5"}, {"x?"}), service("a", {"10.0.0.5"}, {"*y"})};
    const auto nobody = explain(policy, *parse_endpoint("10.0.0.5:1"), "/z");
    assert_false(nobody.governing.has_value());
    assert_string_equal(told(policy, "10.0.0.5:1", "/xy").c_str(),
                        "* a 10.0.0.5: governs: from \"*y\" matches\n"
                        "- b 10.0.0.5: shadowed by a (10.0.0.5): of elements of from as long, the "
                        "one of the service whose name sorts first\n");
}

} // namespace

TEST_GROUP(explain) {
    const CMUnitTest tests[] = {cmocka_unit_test(without_from), cmocka_unit_test(with_from),
                                cmocka_unit_test(only_with_from)};
    return cmocka_run_group_tests_name("explain", tests, nullptr, nullptr);
}

} // namespace test_explain

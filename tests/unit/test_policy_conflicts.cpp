// SPDX-License-Identifier: Apache-2.0
// daemon/config: what services get wrong together, with the line, key and words of its error.
#include <array>
#include <string>

#include "tests/harness/group.h"
#include "tests/unit/invalid_policy.h"

namespace test_policy_conflicts {

namespace {

using namespace ballast;
using test::Case;
using test::check;
using test::pair_of;
using test::service;

/// The second service's target begins on line 7.
std::string with_from(const std::string& a, const std::string& from_a, const std::string& b,
                      const std::string& from_b) {
    return "[[service]]\nname='a'\nto=[" + a + "]\nfrom=[" + from_a +
           "]\n[[service]]\nname='b'\nto=[" + b + "]\nfrom=[" + from_b + "]\n";
}

void conflicts(void**) {
    for (const Case& c : std::array{
             Case{service("[[service]]\nto = ['10.0.0.2']\nname = 'a'\n"), 6, "service.name",
                  "\"a\" is already defined at p.toml:2"},
             Case{pair_of("'10.0.0.1'", "'10.0.0.1'"), 6, "service.to",
                  "\"10.0.0.1\" of \"b\" is claimed by \"a\" too, as \"10.0.0.1\" (p.toml:3)"},
             Case{pair_of("'10.0.0.1'", "'10.0.0.1/32'"), 6, "service.to", "claimed by \"a\""},
             Case{pair_of("'10.0.0.1'", "'::ffff:10.0.0.1'"), 6, "service.to", "claimed by \"a\""},
             Case{pair_of("'10.0.0.1:80-90'", "'10.0.0.1:90-99'"), 6, "service.to",
                  "\"10.0.0.1:90-99\" of \"b\" is claimed by \"a\" too, as \"10.0.0.1:80-90\""},
             Case{pair_of("'10.0.0.1:90-99'", "'10.0.0.1:80-90'"), 6, "service.to",
                  "\"10.0.0.1:80-90\" of \"b\" is claimed by \"a\" too, as \"10.0.0.1:90-99\""},
             Case{pair_of("'10.0.0.0/8:1-65535'", "'10.0.0.0/8:80'"), 6, "service.to",
                  "claimed by \"a\""},
             Case{pair_of("'10.0.0.1:1-99',\n'10.0.0.1:80-85'", "'10.0.0.1:90'"), 7, "service.to",
                  "as \"10.0.0.1:1-99\" (p.toml:3)"},
             Case{pair_of("'::/0'", "'::/0'"), 6, "service.to", "\"::/0\" of \"b\""},
             Case{pair_of("'db.x:80'", "'DB.x.:80-90'"), 6, "service.to",
                  "\"db.x:80-90\" of \"b\" is claimed by \"a\" too, as \"db.x:80\" (p.toml:3)"},
             Case{pair_of("'10.0.0.1', 'db.x'", "'10.0.0.2',\n'db.x'"), 7, "service.to",
                  "\"db.x\" of \"b\" is claimed by \"a\""},
             Case{with_from("'10.0.0.1'", "'u', 'v'", "'10.0.0.1'", "'w', 'v'"), 7, "service.to",
                  "is claimed by \"a\" too for the same from \"v\", as \"10.0.0.1\" (p.toml:3)"},
             Case{with_from("'10.0.0.1:1-9'", "'/u'", "'10.0.0.1:9-20'", "'/u'"), 7, "service.to",
                  "for the same from \"/u\", as \"10.0.0.1:1-9\""},
             Case{with_from("'db.x'", "'u', 'v'", "'db.x'", "'v', 'u'"), 7, "service.to",
                  "for the same from \"u\""},
             Case{pair_of("'10.0.0.1'", "'10.0.0.1'") +
                      "[[service]]\nname='c'\nfrom=['u']\nto=['10.0.0.1']\n",
                  6, "service.to", "claimed by \"a\" too, as"},
         })
        check(c);
}

/// Pairs that the matching order has an answer for.
void lawful(void**) {
    for (const std::string& text : std::array{
             with_from("'10.0.0.1'", "'u'", "'10.0.0.1'", "'v'"),
             with_from("'10.0.0.1'", "'u', 'v*'", "'10.0.0.1'", "'v'"),
             with_from("'10.0.0.1:80'", "'u'", "'10.0.0.1'", "'u'"),
             with_from("'10.0.0.1:80'", "'u'", "'10.0.0.1:81'", "'u'"),
             with_from("'db.x:80'", "'u'", "'db.y:80'", "'u'"),
             pair_of("'10.0.0.1', 'db.x:80'", "'10.0.0.2', 'db.x:81', 'db.x'"),
             pair_of("'10.0.0.1'", "'10.0.0.1']\nfrom=['u'"),
         }) {
        const auto report = parse_policy({{"p.toml", text}});
        assert_string_equal(report.errors.text().c_str(), "");
        assert_string_equal(report.warnings.text().c_str(), "");
    }
}

std::string many_services(std::size_t count, std::size_t targets_each) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += fmt::format("[[service]]\nname='s{}'\nto=[", i);
        for (std::size_t j = 0; j < targets_each; ++j)
            text += fmt::format("'10.{}.{}.{}',", i / 256, i % 256, j);
        text += "]\n";
    }
    return text;
}

std::string many_ranges(int count) {
    std::string text = "[[service]]\nname='a'\nto=[\n";
    for (int i = 0; i < count; ++i)
        text += fmt::format("'10.0.0.1:{}',\n", 80 + 2 * i);
    return text + "]\n";
}

/// 15 ranges on a prefix, 15 others inside it: each by itself is lawful.
std::string crowded() {
    std::string text = many_ranges(15) + "[[service]]\nname='b'\nto=[\n";
    for (int i = 0; i < 15; ++i)
        text += fmt::format("'10.0.0.0/8:{}',\n", 1080 + 2 * i);
    return text + "]\n";
}

std::string many_names(int count) {
    std::string text = "[[service]]\nname='a'\nto=[\n";
    for (int i = 0; i < count; ++i)
        text += fmt::format("'h{0}.internal:80', 'h{0}.internal:90',\n", i);
    return text + "]\n";
}

std::string many_from(int count) {
    std::string text = service("from=[\n");
    for (int i = 0; i < count; ++i)
        text += fmt::format("'u{}',\n", i);
    return text + "]\n";
}

/// 64 services with `from` on a wide prefix, and one more on each of the addresses in it.
std::string many_alternatives() {
    std::string text;
    for (int i = 0; i < 134; ++i)
        text += fmt::format("[[service]]\nname='s{0}'\nfrom=['s{0}']\nto=['{1}']\n", i,
                            i < 64 ? "10.0.0.0/8" : fmt::format("10.0.0.{}", i - 64));
    return text;
}

void over_the_limits(void**) {
    for (const Case& c : std::array{
             Case{many_services(1024, 1), 3070, "service",
                  "1024 services in all; at most 1023 are possible"},
             Case{many_services(64, 256) + "[[service]]\nname='x'\nto=['10.9.9.9']\n", 195,
                  "service.to", "16385 targets in all; at most 16384 are possible"},
             Case{many_ranges(16), 19, "service.to",
                  "\"10.0.0.1:110\" is one port range too many for 10.0.0.1; at most 15"},
             Case{crowded(), 4, "service.to",
                  "the ports of 10.0.0.1, with those of the shorter prefixes around it, fall into "
                  "61 parts; at most 32 are possible"},
             Case{many_names(257), 260, "service.to",
                  "\"h256.internal\" is one DNS name too many; at most 256 are possible"},
             Case{many_from(257), 261, "service.from",
                  "\"u256\" is one element too many; at most 256 distinct ones are possible"},
             Case{many_alternatives(), 508, "service.to",
                  "with 10.0.0.62 the services that from chooses among fill more than 4095 rows"},
         })
        check(c);
}

} // namespace

TEST_GROUP(policy_conflicts) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(conflicts),
        cmocka_unit_test(lawful),
        cmocka_unit_test(over_the_limits),
    };
    return cmocka_run_group_tests_name("policy_conflicts", tests, nullptr, nullptr);
}

} // namespace test_policy_conflicts

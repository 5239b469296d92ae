// SPDX-License-Identifier: Apache-2.0
// daemon/config/overrides: what an operator sets by CLI on top of the files.
#include <array>
#include <cstring>
#include <string>

#include "daemon/config/overrides.h"
#include "daemon/config/policy_parser.h"
#include "daemon/model/names.h"
#include "daemon/model/prefix_rules.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_overrides {

namespace {

using namespace ballast;
using namespace std::chrono_literals;

const std::chrono::system_clock::time_point kSetAt{1'900'000'000s};
constexpr const char* kOrigin = "override by root at 2030-03-17T17:46:40Z";

Policy policy_of(const std::string& text) {
    return *parse_policy({{"p.toml", text}}).policy;
}

const std::string kText = "[[service]]\nname='db'\nto=['10.0.0.0/8', '10.0.0.5:80-89']\n"
                          "max_connections=100\non_limit='again'\nmode='observe'\n"
                          "[[service]]\nname='web'\nto=['10.0.0.9:80']\n";

Override override_of(const char* target, std::optional<std::uint32_t> max = 7,
                     std::optional<Mode> mode = {}, std::optional<OnLimit> on_limit = {}) {
    Override out;
    out.target = target;
    out.max_connections = max;
    out.mode = mode;
    out.on_limit = on_limit;
    out.set_by = "root";
    out.set_at = kSetAt;
    return out;
}

/// "NAME max mode on_limit to,to | origin"
std::string shown(const Service& service) {
    std::string targets;
    for (const Target& target : service.to)
        targets += (targets.empty() ? "" : ",") + target.text();
    const std::string max =
        service.max_connections ? std::to_string(*service.max_connections) : "-";
    return fmt::format("{} {} {} {} {} | {}", service.name, max, name_of(service.mode),
                       name_of(service.on_limit), targets, service.origin);
}

/// Lists all services after the overrides; nothing may be skipped.
std::string applied(const std::string& text, const std::vector<Override>& overrides) {
    const MergedPolicy merged = apply_overrides(policy_of(text), overrides);
    assert_int_equal(merged.skipped.size(), 0);
    std::string out;
    for (const Service& service : merged.policy.services)
        out += shown(service) + "\n";
    return out;
}

const std::string kDb = "db 100 observe again 10.0.0.0/8,10.0.0.5:80-89 | p.toml:1";
const std::string kWeb = "web - observe refused 10.0.0.9:80 | p.toml:7";

void none_changes_nothing(void**) {
    assert_true(apply_overrides(policy_of(kText), {}).policy == policy_of(kText));
}

void of_a_service(void**) {
    const std::string tail = fmt::format(", {}\n{}\n", kOrigin, kWeb);
    const std::string targets = " 10.0.0.0/8,10.0.0.5:80-89 | p.toml:1";
    struct Case {
        Override wanted;
        const char* fields;
    };
    for (const Case& c : std::array{
             Case{override_of("db", 7), "db 7 observe again"},
             Case{override_of("db", {}, Mode::enforce), "db 100 enforce again"},
             Case{override_of("db", {}, {}, OnLimit::unreachable), "db 100 observe unreachable"},
             Case{override_of("db", 1, Mode::off, OnLimit::refused), "db 1 off refused"},
         })
        assert_string_equal(applied(kText, {c.wanted}).c_str(),
                            fmt::format("{}{}{}", c.fields, targets, tail).c_str());
}

void of_an_endpoint(void**) {
    struct Case {
        const char* text;
        Override wanted;
        const char* added;
    };
    const std::string enforcing = "[guards]\nlimit='enforce'\n";
    for (const Case& c : std::array{
             Case{"", override_of("10.0.0.7:80"), "10.0.0.7:80 7 observe refused 10.0.0.7:80 | "},
             Case{enforcing.c_str(), override_of("10.0.0.7:80"),
                  "10.0.0.7:80 7 enforce refused 10.0.0.7:80 | "},
             Case{enforcing.c_str(), override_of("10.0.0.7:80", {}, Mode::off, OnLimit::again),
                  "10.0.0.7:80 - off again 10.0.0.7:80 | "},
             Case{"", override_of("[2001:DB8::5]:443"),
                  "[2001:db8::5]:443 7 observe refused [2001:db8::5]:443 | "},
             Case{"", override_of("[::ffff:10.0.0.7]:80"),
                  "10.0.0.7:80 7 observe refused 10.0.0.7:80 | "},
         })
        assert_string_equal(applied(c.text, {c.wanted}).c_str(),
                            (std::string(c.added) + kOrigin + "\n").c_str());
}

/// The limits that shown() leaves out.
std::string limits_of(const Service& service) {
    const auto text = [](const std::optional<std::uint32_t>& limit) {
        return limit ? std::to_string(*limit) : std::string("-");
    };
    return fmt::format("max {} total {} share {} rate {} burst {}", text(service.max_connections),
                       text(service.max_connections_total), text(service.max_per_consumer),
                       text(service.max_connect_rate), service.burst);
}

const std::string kLimited = "[[service]]\nname='db'\nto=['10.0.0.5:80']\nmax_connections=10\n"
                             "max_connections_total=20\nmax_per_consumer=5\nmax_connect_rate=30\n"
                             "burst=40\n";

void every_limit_is_merged_by_itself(void**) {
    struct Case {
        std::optional<std::uint32_t> Override::*field;
        std::uint32_t value;
        const char* of_service;
        const char* of_endpoint;
    };
    for (const Case& c : std::array{
             Case{&Override::max_connections, 7, "max 7 total 20 share 5 rate 30 burst 40",
                  "max 7 total - share - rate - burst 0"},
             Case{&Override::max_connections_total, 11, "max 10 total 11 share 5 rate 30 burst 40",
                  "max - total 11 share - rate - burst 0"},
             Case{&Override::max_per_consumer, 3, "max 10 total 20 share 3 rate 30 burst 40",
                  "max - total - share 3 rate - burst 0"},
             Case{&Override::max_connect_rate, 9, "max 10 total 20 share 5 rate 9 burst 40",
                  "max - total - share - rate 9 burst 0"},
         }) {
        Override wanted = override_of("db", {});
        wanted.*c.field = c.value;
        const auto service = apply_overrides(policy_of(kLimited), {wanted});
        assert_string_equal(limits_of(service.policy.services.at(0)).c_str(), c.of_service);
        wanted.target = "10.0.0.6:80";
        const auto endpoint = apply_overrides(policy_of(kLimited), {wanted});
        assert_string_equal(limits_of(endpoint.policy.services.at(1)).c_str(), c.of_endpoint);
    }
}

void a_burst_joins_the_rate_that_is_there(void**) {
    Override wanted = override_of("db", {});
    wanted.burst = 3;
    const auto merged = apply_overrides(policy_of(kLimited), {wanted});
    assert_string_equal(limits_of(merged.policy.services.at(0)).c_str(),
                        "max 10 total 20 share 5 rate 30 burst 3");
}

void what_contradicts_the_service_is_skipped(void**) {
    Override low_total = override_of("db", {});
    low_total.max_connections_total = 9;
    Override lone_burst = override_of("web", {});
    lone_burst.burst = 3;
    Override endpoint_burst = lone_burst;
    endpoint_burst.target = "10.0.0.5:85";
    Override endpoint_total = override_of("10.0.0.5:85", 5);
    endpoint_total.max_connections_total = 4;
    Override no_share = override_of("web", {});
    no_share.max_per_consumer = 0;
    Override fast = override_of("web", {});
    fast.max_connect_rate = kMaxConnectRate + 1;
    struct Case {
        Override wanted;
        const char* reason;
    };
    for (const Case& c : std::array{
             Case{low_total, "max_connections_total 9 would be below max_connections, 10"},
             Case{override_of("db", 21), "max_connections_total 20 would be below "
                                         "max_connections, 21"},
             Case{lone_burst, "burst 3 needs a max_connect_rate"},
             Case{endpoint_burst, "burst 3 needs a max_connect_rate"},
             Case{endpoint_total, "max_connections_total 4 would be below max_connections, 5"},
             Case{no_share, "max_per_consumer 0 is not in 1..1000000"},
             Case{fast, "max_connect_rate 1000001 is not in 1..1000000"},
         }) {
        const Policy policy =
            policy_of(kLimited + "[[service]]\nname='web'\nto=['10.0.0.5:81-89']\n");
        const auto merged = apply_overrides(policy, {c.wanted});
        assert_int_equal(merged.skipped.size(), 1);
        const std::string& why = merged.skipped[0].why;
        assert_string_equal(why.substr(why.rfind("force: ") + 7).c_str(), c.reason);
        assert_true(merged.policy == policy);
    }
}

void a_wider_service_is_left_alone(void**) {
    const std::string added = fmt::format("10.0.0.7:80 7 observe again 10.0.0.7:80 | {}", kOrigin);
    assert_string_equal(applied(kText, {override_of("10.0.0.7:80")}).c_str(),
                        fmt::format("{}\n{}\n{}\n", kDb, kWeb, added).c_str());
}

void ranges_of_the_same_address_give_way(void**) {
    struct Case {
        const char* target;
        const char* db;
        const char* web;
        const char* on_limit = "again"; // as that of db
    };
    for (const Case& c : std::array{
             Case{"10.0.0.5:80", "10.0.0.0/8,10.0.0.5:81-89", "10.0.0.9:80"},
             Case{"10.0.0.5:85", "10.0.0.0/8,10.0.0.5:80-84,10.0.0.5:86-89", "10.0.0.9:80"},
             Case{"10.0.0.5:89", "10.0.0.0/8,10.0.0.5:80-88", "10.0.0.9:80"},
             Case{"10.0.0.5:79", "10.0.0.0/8,10.0.0.5:80-89", "10.0.0.9:80"},
             Case{"10.0.0.5:90", "10.0.0.0/8,10.0.0.5:80-89", "10.0.0.9:80"},
             Case{"10.0.0.9:80", "10.0.0.0/8,10.0.0.5:80-89", "", "refused"},
         }) {
        const std::string wanted =
            fmt::format("db 100 observe again {} | p.toml:1\nweb - observe refused {} | p.toml:7\n"
                        "{} 7 observe {} {} | {}\n",
                        c.db, c.web, c.target, c.on_limit, c.target, kOrigin);
        assert_string_equal(applied(kText, {override_of(c.target)}).c_str(), wanted.c_str());
    }
}

void any_port_of_the_same_address_stays(void**) {
    const std::string wanted = fmt::format(
        "a - observe refused 10.0.0.7 | p.toml:1\n10.0.0.7:80 7 observe refused 10.0.0.7:80 | {}\n",
        kOrigin);
    assert_string_equal(
        applied("[[service]]\nname='a'\nto=['10.0.0.7']\n", {override_of("10.0.0.7:80")}).c_str(),
        wanted.c_str());
}

void it_governs_that_endpoint_and_no_other(void**) {
    const MergedPolicy merged = apply_overrides(policy_of(kText), {override_of("10.0.0.5:85")});
    const auto here = rules_at(merged.policy, *parse_prefix("10.0.0.5"));
    std::string services;
    for (const PortSpan& span : here.rules.front().spans)
        services += fmt::format("{}={} ", span.first, here.candidates(span).at(0).service);
    assert_string_equal(services.c_str(), "0=1 85=3 86=1 ");
}

/// Every key that a service can have, each off its default.
const std::string kStrict =
    "[[service]]\nname='db'\nto=['10.0.0.0/8']\nmax_connections=10\nmax_connections_total=20\n"
    "max_per_consumer=5\nmax_connect_rate=30\nburst=40\nconnect_timeout='2s'\nmode='enforce'\n"
    "on_limit='unreachable'\nbreaker={mode='enforce', refused=3}\n"
    "half_open={mode='enforce', action='reset'}\nkeepalive={mode='enforce', idle='30s'}\n";

void an_endpoint_starts_from_what_governs_it(void**) {
    const auto policy = policy_of(kStrict);
    const auto merged = apply_overrides(policy, {override_of("10.0.0.5:80", 3)});
    assert_int_equal(merged.skipped.size(), 0);
    Service wanted = policy.services.at(0);
    wanted.name = "10.0.0.5:80";
    wanted.to = {*parse_target("10.0.0.5:80")};
    wanted.max_connections = 3;
    wanted.origin = kOrigin;
    assert_true(merged.policy.services.at(1) == wanted);
    assert_true(merged.policy.services.at(0) == policy.services.at(0));
}

/// It would put these consumers under rules that are everyone's.
void consumers_of_their_own_are_not_set_aside(void**) {
    const std::string text = "[[service]]\nname='batch'\nto=['10.0.0.0/8']\n"
                             "from=['batch.service']\nmax_connections=2\nmode='enforce'\n";
    const auto merged = apply_overrides(policy_of(text), {override_of("10.0.0.5:80", 50)});
    assert_int_equal(merged.policy.services.size(), 1);
    assert_int_equal(merged.skipped.size(), 1);
    assert_non_null(std::strstr(merged.skipped.at(0).why.c_str(),
                                "connections from batch.service to it are governed by batch"));
}

void an_endpoint_keeps_what_is_said_of_its_flows(void**) {
    const auto policy =
        policy_of("guards.half_open = 'enforce'\n"
                  "[[service]]\nname='db'\nto=['10.0.0.0/8']\n"
                  "half_open = { mode='observe', action='reset', witness='connect' }");
    const auto rules_of = [&](const Override& wanted) {
        return apply_overrides(policy, {wanted}).policy.services.at(1).half_open;
    };
    assert_true(rules_of(override_of("10.0.0.5:80")) == policy.services.at(0).half_open);
    const HalfOpen by_default{.mode = Mode::enforce};
    assert_true(rules_of(override_of("192.0.2.1:80")) == by_default);
    assert_true(rules_of(override_of("10.0.0.5:80", 7, Mode::off)).mode == Mode::off);
}

void twice_the_same_endpoint(void**) {
    const std::string wanted =
        fmt::format("10.0.0.7:80 9 enforce refused 10.0.0.7:80 | {}, {}\n", kOrigin, kOrigin);
    assert_string_equal(applied("", {override_of("10.0.0.7:80", 7, Mode::enforce),
                                     override_of("[::ffff:10.0.0.7]:80", 9)})
                            .c_str(),
                        wanted.c_str());
}

/// 1,023 services, 16,384 targets or as many ranges as the address of the override can have.
std::string full_of_services() {
    std::string text;
    for (int i = 0; i < 1023; ++i)
        text += fmt::format("[[service]]\nname='s{}'\nto=['10.1.{}.{}']\n", i, i / 256, i % 256);
    return text;
}

std::string full_of_targets() {
    std::string text = "[[service]]\nname='s'\nto=[";
    for (int i = 0; i < 16384; ++i)
        text += fmt::format("'10.1.{}.{}',", i / 256, i % 256);
    return text + "]\n";
}

/// Neighbours, so that they are few parts however many ranges.
std::string full_of_ranges() {
    std::string text = "[[service]]\nname='s'\nto=['10.0.0.7:1000-2000',";
    for (int i = 0; i < 14; ++i)
        text += fmt::format("'10.0.0.7:{}',", 100 + i);
    return text + "]\n";
}

/// 15 ranges of a wider prefix: with one more of an address in it, 33 parts.
std::string full_of_parts() {
    std::string text = "[[service]]\nname='s'\nto=[";
    for (int i = 0; i < 15; ++i)
        text += fmt::format("'10.0.0.0/8:{}',", 100 + 2 * i);
    return text + "]\n";
}

void what_does_not_fit_is_skipped(void**) {
    struct Case {
        std::string text;
        Override wanted;
        const char* reason;
    };
    for (const Case& c : std::array{
             Case{kText, override_of("gone"), "the policy has no service of that name"},
             Case{kText, override_of("10.0.0.7"), "the policy has no service of that name"},
             Case{kText, override_of(""), "the policy has no service of that name"},
             Case{kText, override_of("10.0.0.0/8:80"), "the policy has no service of that name"},
             Case{kText, override_of("10.0.0.5:80-90"), "the policy has no service of that name"},
             Case{kText, override_of("10.0.0.5:0"), "the policy has no service of that name"},
             Case{kText, override_of("db", 0), "max_connections 0 is not in 1..1000000"},
             Case{kText, override_of("db", 1'000'001), "is not in 1..1000000"},
             Case{kText, override_of("db", {}), "it changes nothing"},
             Case{full_of_services(), override_of("10.0.0.7:80"), "there are 1023 services"},
             Case{full_of_targets(), override_of("10.0.0.7:80"), "there are 16384 targets"},
             Case{full_of_ranges(), override_of("10.0.0.7:80"),
                  "10.0.0.7 has too many port ranges already"},
             Case{full_of_parts(), override_of("10.0.0.7:80"),
                  "10.0.0.7 has too many port ranges already"},
             Case{full_of_ranges(), override_of("10.0.0.7:1500"),
                  "10.0.0.7 has too many port ranges already"},
         }) {
        const Policy policy = policy_of(c.text);
        const MergedPolicy merged = apply_overrides(policy, {c.wanted});
        const std::string wanted =
            fmt::format("{} of \"{}\" is not in force: ", kOrigin, c.wanted.target);
        assert_string_equal(merged.skipped.at(0).why.substr(0, wanted.size()).c_str(),
                            wanted.c_str());
        assert_true(merged.skipped[0].why.find(c.reason) != std::string::npos);
        assert_true(merged.policy == policy);
    }
}

void one_that_is_skipped_stops_no_other(void**) {
    const auto merged =
        apply_overrides(policy_of(kText), {override_of("gone"), override_of("web", 3)});
    assert_int_equal(merged.skipped.size(), 1);
    assert_int_equal(merged.policy.services[1].max_connections.value_or(0), 3);
}

void a_full_policy_can_still_be_changed(void**) {
    const auto merged = apply_overrides(policy_of(full_of_services()), {override_of("s5", 3)});
    assert_int_equal(merged.skipped.size(), 0);
    assert_int_equal(merged.policy.services[5].max_connections.value_or(0), 3);
    const auto ranges =
        apply_overrides(policy_of(full_of_ranges()), {override_of("10.0.0.7:102", 3)});
    assert_int_equal(ranges.skipped.size(), 0);
}

} // namespace

TEST_GROUP(overrides) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(none_changes_nothing),
        cmocka_unit_test(of_a_service),
        cmocka_unit_test(of_an_endpoint),
        cmocka_unit_test(every_limit_is_merged_by_itself),
        cmocka_unit_test(a_burst_joins_the_rate_that_is_there),
        cmocka_unit_test(what_contradicts_the_service_is_skipped),
        cmocka_unit_test(a_wider_service_is_left_alone),
        cmocka_unit_test(ranges_of_the_same_address_give_way),
        cmocka_unit_test(any_port_of_the_same_address_stays),
        cmocka_unit_test(it_governs_that_endpoint_and_no_other),
        cmocka_unit_test(an_endpoint_starts_from_what_governs_it),
        cmocka_unit_test(consumers_of_their_own_are_not_set_aside),
        cmocka_unit_test(an_endpoint_keeps_what_is_said_of_its_flows),
        cmocka_unit_test(twice_the_same_endpoint),
        cmocka_unit_test(what_does_not_fit_is_skipped),
        cmocka_unit_test(one_that_is_skipped_stops_no_other),
        cmocka_unit_test(a_full_policy_can_still_be_changed),
    };
    return cmocka_run_group_tests_name("overrides", tests, nullptr, nullptr);
}

} // namespace test_overrides

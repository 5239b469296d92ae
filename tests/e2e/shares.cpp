// SPDX-License-Identifier: Apache-2.0
// Promise: max_per_consumer gives each unit its share of a destination and max_connections_total
// all destinations of a service together, both exactly, under any concurrency.
#include "tests/e2e/programs.h"
#include "tests/harness/group.h"

namespace test_shares {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr std::uint32_t share = 4;
constexpr std::uint32_t race_attempts = 600;

Scene* scene = nullptr;

std::string shared(unsigned limit, unsigned per_consumer = share) {
    return policy_of({service(
        "db", fmt::format("max_connections = {}\nmax_per_consumer = {}", limit, per_consumer))});
}

/// The total that all hold after they competed at the same time.
std::uint32_t race_all(const std::vector<Crowd*>& programs, const std::vector<Dest>& dests) {
    for (std::size_t i = 0; i < programs.size(); ++i)
        programs[i]->begin(attempts(dests[i % dests.size()], race_attempts, 32));
    std::uint32_t held = 0;
    for (auto* one : programs) {
        one->finish();
        check_no_surprises(*one);
        held += one->counts().held.load();
    }
    return held;
}

/// First checks the counts from before sweeps could correct them.
void check_counted(const Dest& dest, long in_use, Where where = Where::current()) {
    check_equal(scene->ballastd.in_use(dest), in_use, "in_use at once", where);
    check_exact(*scene, dest, in_use, where);
    check_no_repairs(scene->ballastd, where);
}

void one_cannot_take_all(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(shared(share + 2));
    auto& wild = program(*scene, "a.service");
    check_equal(admitted(wild, attempts(dest, race_attempts, 64)), share, "admitted of the wild");
    auto& other = program(*scene, "b.service");
    check_equal(admitted(other, attempts(dest, 2)), 2U, "admitted of the other");
    check_equal(admitted(other, attempts(dest, 20)), 0U, "admitted of it above max_connections");
    check_equal(scene->ballastd.value(dest, "refused"), race_attempts - share + 20, "refused");
    check_counted(dest, share + 2);
}

void each_gets_its_share(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(shared(3 * share));
    const std::vector<Crowd*> programs = {&program(*scene, "a.service"),
                                          &program(*scene, "b.service"),
                                          &program(*scene, "c.service")};
    race_all(programs, {dest});
    for (const auto* one : programs)
        check_equal(one->counts().held.load(), share, "held by one of three");
    check_counted(dest, 3 * share);
}

struct Sharing {
    const char* name;
    const char* unit;
    const char* first; ///< below it
    const char* second;
    std::uint32_t together;
};

constexpr Sharing sharings[] = {
    {"cgroups of a service share", "a.service", "one", "two", share},
    {"cgroups of a scope share", "a.scope", "one", "two", share},
    {"units within a unit do not", "user.service", "one.scope", "two.service", 2 * share},
    {"nor do units of a slice", "a.slice", "one.service", "two.service", 2 * share},
    {"nor cgroups outside of units", "plain", "one", "two", 2 * share},
};

void counts_by_unit(const Sharing& sharing) {
    const auto& dest = serve(*scene, families.front()).dest();
    scene->ballastd.enforce(shared(10 * share));
    const auto& around = unit(*scene, sharing.unit);
    const std::vector<Crowd*> programs = {
        &program_in(*scene, make<Subgroup>(around.path(), sharing.first)),
        &program_in(*scene, make<Subgroup>(around.path(), sharing.second))};
    check_equal(race_all(programs, {dest}), sharing.together, "held by both together");
    check_counted(dest, sharing.together);
}

/// Also of a destination that has connections of its unit alone, and of several.
void shares_are_per_destination(const Family& family) {
    const auto& first = serve(*scene, family).dest();
    const auto& second = serve(*scene, family).dest();
    scene->ballastd.enforce(shared(2 * share));
    auto& a = program(*scene, "a.service");
    check_equal(admitted(a, attempts(first, 50)), share, "admitted to the first");
    check_equal(admitted(a, attempts(second, 50)), share, "admitted to the second");
    check_counted(first, share);
    check_counted(second, share);
}

void shares_come_back(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(shared(3 * share));
    const auto& a = unit(*scene, "a.service");
    auto& first = program_in(*scene, a);
    check_equal(admitted(first, attempts(dest, 50)), share, "admitted at first");
    first.close_some(3);
    await_in_use(scene->ballastd, dest, share - 3);
    check_equal(admitted(first, attempts(dest, 50)), 3U, "admitted after closing 3");
    first.kill();
    await_in_use(scene->ballastd, dest, 0);
    auto& next = program_in(*scene, a);
    check_equal(admitted(next, attempts(dest, 50)), share, "admitted after the first was killed");
    check_counted(dest, share);
}

struct Churned {
    const char* name;
    const char* lines;
};

// each as tight as a share, and nothing but it
constexpr Churned churned[] = {
    {"the share", "max_per_consumer = 4"},
    {"the total", "max_connections_total = 4"},
    {"the total, where the share is as tight", "max_per_consumer = 4\nmax_connections_total = 4"},
};

/// Coming and going in a race crosses the limit again and again.
void churn_stays_below(const Churned& limited) {
    constexpr std::uint32_t connections = 3000;
    scene->ballastd.enforce(policy_of({service("db", limited.lines)}));
    auto& a = program(*scene, "a.service");
    for (const auto& family : families) {
        const auto& dest = serve(*scene, family).dest();
        check_equal(admitted(a, churn(dest, connections, 32)), connections,
                    "connections that came and went");
        check(a.counts().held_max.load() <= share, "never more held than the limit");
        check_counted(dest, 0);
        check_equal(admitted(a, attempts(dest, 50)), share, "admitted afterwards");
        a.close_some(share);
        await_in_use(scene->ballastd, dest, 0);
    }
}

void works_with_the_daemon_dead(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(shared(3 * share));
    auto& a = program(*scene, "a.service");
    check_equal(admitted(a, attempts(dest, 2)), 2U, "admitted before");
    scene->ballastd.crash();
    check_equal(admitted(a, attempts(dest, 50)), share - 2, "admitted with the daemon dead");
    check_equal(admitted(program(*scene, "b.service"), attempts(dest, 50)), share,
                "admitted of a unit that nobody has seen before");
    scene->ballastd.start();
    check_counted(dest, 2 * share);
    check_equal(admitted(a, attempts(dest, 50)), 0U, "admitted after the restart");
}

void enabled_for_what_is_open(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(policy_of({service("db", "max_connections = 20")}));
    auto& a = program(*scene, "a.service");
    auto& b = program(*scene, "b.service");
    auto& c = program(*scene, "c.service");
    check_equal(admitted(a, attempts(dest, 3)), 3U, "opened by a");
    check_equal(admitted(b, attempts(dest, 1)), 1U, "opened by b");
    check_equal(admitted(c, attempts(dest, share + 2)), share + 2, "opened by c");
    scene->ballastd.enforce(shared(20));
    check_equal(admitted(a, attempts(dest, 50)), share - 3, "admitted of a, which had 3");
    check_equal(admitted(b, attempts(dest, 50)), share - 1, "admitted of b, which had 1");
    check_equal(admitted(c, attempts(dest, 50)), 0U, "admitted of c, which had too many");
    check_counted(dest, 3 * share + 2);
    c.close_some(3);
    await_in_use(scene->ballastd, dest, 3 * share - 1);
    check_equal(admitted(c, attempts(dest, 50)), 1U, "admitted of c, once one below its share");
    check_counted(dest, 3 * share);
}

/// Connections of both IP versions to four destinations, with a limit of their own that does not
/// bind and one in all that does.
void total_over_destinations() {
    constexpr std::uint32_t total = 10;
    scene->ballastd.enforce(policy_of({service(
        "cluster", fmt::format("max_connections = 8\nmax_connections_total = {}", total))}));
    std::vector<Dest> dests;
    for (int i = 0; i < 4; ++i)
        dests.push_back(serve(*scene, families[static_cast<std::size_t>(i % 2)]).dest());
    std::vector<Crowd*> programs;
    for (const auto* name : {"a.service", "b.service", "c.service", "d.service"})
        programs.push_back(&program(*scene, name));
    check_equal(race_all(programs, dests), total, "held to all four together");
    for (auto* one : programs)
        one->close_some(1);
    const auto held = [&] {
        long sum = 0;
        for (const auto& dest : dests)
            sum += scene->ballastd.in_use(dest);
        return sum;
    };
    std::uint32_t left = 0;
    for (const auto* one : programs)
        left += one->counts().held.load();
    await_equal(held, long{left}, "in_use over all four");
    check(left < total, "some were closed");
    check_equal(race_all(programs, dests), total, "held after closing some");
    await_equal(held, long{total}, "in_use over all four");
    for (std::size_t i = 0; i < dests.size(); ++i)
        check_exact(*scene, dests[i], programs[i]->counts().held.load());
    check_no_repairs(scene->ballastd);
}

/// Whichever binds first, the places in the other counts are given back.
void total_and_share_together(const Family& family) {
    const auto& first = serve(*scene, family).dest();
    const auto& second = serve(*scene, family).dest();
    scene->ballastd.enforce(policy_of({service("db", fmt::format("max_connections_total = {}\n"
                                                                 "max_per_consumer = {}",
                                                                 3 * share - 1, share))}));
    auto& a = program(*scene, "a.service");
    auto& b = program(*scene, "b.service");
    const auto held = race_all({&a, &b, &program(*scene, "c.service")}, {first});
    check_equal(held, 3 * share - 1, "held by three in all, one less than their shares");
    check_equal(admitted(a, attempts(second, 50)), 0U, "admitted elsewhere with no total left");
    b.close_some(2);
    await_in_use(scene->ballastd, first, 3 * share - 3);
    check_equal(admitted(a, attempts(second, 50)), 2U, "admitted elsewhere after b closed 2");
    check_counted(first, 3 * share - 3);
    check_counted(second, 2);
}

} // namespace

TEST_GROUP(shares) {
    return Suite()
        .shared([] { scene = &make_scene(shared(share)); })
        .each(families, "one unit cannot take all", one_cannot_take_all)
        .each(families, "each of three gets its share in a race", each_gets_its_share)
        .each(sharings, "a share is of a unit", counts_by_unit)
        .host_each(families, "a share is of a destination", shares_are_per_destination)
        .host_each(families, "shares come back", shares_come_back)
        .each(churned, "opening and closing in a race stays below", churn_stays_below)
        .each(families, "shares hold with the daemon dead", works_with_the_daemon_dead)
        .host_each(families, "a share that a reload brings counts what is open",
                   enabled_for_what_is_open)
        .host_add("a total over destinations of both IP versions", total_over_destinations)
        .host_each(families, "a total and a share", total_and_share_together)
        .run("shares");
}

} // namespace test_shares

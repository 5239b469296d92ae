// SPDX-License-Identifier: Apache-2.0
// Promise: a service with `from` governs the programs in the cgroups it names and below, whenever
// these appear, and leaves the others to the next row; connections follow a policy that moves.
#include "tests/e2e/programs.h"
#include "tests/harness/group.h"

namespace test_consumers {

using namespace ballast;
using namespace ballast::test;

namespace {

Scene* scene = nullptr;

std::string from(std::string_view pattern, unsigned limit) {
    return fmt::format("from = [\"{}\"]\nmax_connections = {}", pattern, limit);
}

std::string limit_of(unsigned limit) {
    return fmt::format("max_connections = {}", limit);
}

/// Of more attempts than any limit here allows, exactly `wanted` succeed.
void check_gets(Crowd& one, const Dest& dest, std::uint32_t wanted, std::string_view what,
                Where where = Where::current()) {
    check_equal(admitted(one, attempts(dest, 30), where), wanted, what, where);
}

/// Checks the services' counts at the destination, and that they needed no correction.
void check_counted(const Dest& dest, const std::vector<std::pair<std::string, long>>& wanted,
                   Where where = Where::current()) {
    long all = 0;
    for (const auto& [name, in_use] : wanted) {
        check_equal(in_use_of(*scene, dest, name), in_use, "in_use of " + name, where);
        all += in_use;
    }
    check_exact(*scene, dest, all, where);
    check_no_repairs(scene->ballastd, where);
}

void governs_its_cgroup_and_below(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(
        policy_of({service("batch", from("a.service", 3)), service("rest", limit_of(4))}));
    const auto& a = unit(*scene, "a.service");
    const auto& below = make<Subgroup>(a.path(), "worker");
    auto& in_a = program_in(*scene, a);
    check_equal(admitted(in_a, attempts(dest, 2)), 2U, "admitted in a.service");
    check_gets(program_in(*scene, make<Subgroup>(below.path(), "deeper")), dest, 1,
               "admitted two levels below a.service");
    check_gets(in_a, dest, 0, "admitted in a.service, which is full");
    check_gets(program(*scene, "b.service"), dest, 4, "admitted in b.service");
    check_refused(*scene, dest, "in no unit, as b.service took the rest");
    check_counted(dest, {{"batch", 3}, {"rest", 4}});
}

void others_are_not_governed(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(policy_of({service("batch", from("a.service", 1))}));
    check_gets(program(*scene, "a.service"), dest, 1, "admitted in a.service");
    auto& other = program(*scene, "b.service");
    check_gets(other, dest, 30, "admitted in b.service");
    other.kill();
    check_counted(dest, {{"batch", 1}});
}

/// Also while no daemon is running that could register a new cgroup with the kernel.
void cgroup_made_later(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(
        policy_of({service("batch", from("late-*.service", 2)), service("rest", limit_of(5))}));
    auto& first = program(*scene, "late-1.service");
    check_equal(admitted(first, attempts(dest, 1)), 1U, "admitted in late-1.service");
    scene->ballastd.crash();
    check_gets(program(*scene, "late-2.service"), dest, 1, "admitted in late-2.service");
    check_gets(first, dest, 0, "admitted in late-1.service, now that two are open");
    check_gets(program(*scene, "soon.service"), dest, 5, "admitted in soon.service");
    scene->ballastd.start();
    check_gets(program(*scene, "late-3.service"), dest, 0, "admitted after the restart");
    check_counted(dest, {{"batch", 2}, {"rest", 5}});
}

/// A cgroup of the same name is another cgroup.
void cgroup_made_again(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(policy_of({service("batch", from("again.service", 2))}));
    for (const auto* round : {"the first", "the second", "the third"}) {
        const Subgroup again(scene->ballastd.cgroup(), "again.service");
        Crowd inside(scene->link.client, &again);
        check_gets(inside, dest, 2, round);
        inside.kill();
        await_in_use(scene->ballastd, dest, 0);
    }
    check_counted(dest, {{"batch", 0}});
}

struct Pattern {
    const char* name;
    const char* text;             ///< {}: path of ballastd's cgroup
    std::vector<const char*> in;  ///< a cgroup that matches, component by component
    std::vector<const char*> out; ///< one that does not
};

const Pattern patterns[] = {
    {"glob", "app-*.service", {"app-7.service"}, {"app-7.scope"}},
    {"glob in the middle", "a*-*-z.service", {"ab-c-z.service"}, {"ab-z.service"}},
    {"one character", "app-?.service", {"app-7.service"}, {"app-77.service"}},
    {"whole name only", "app.service", {"app.service"}, {"my-app.service"}},
    {"slice", "user-*.slice", {"user-1000.slice", "x.scope"}, {"user.slice", "x.scope"}},
    {"path", "{}/sys.slice/p.service", {"sys.slice", "p.service", "w"}, {"p.service", "w"}},
    {"path with a glob", "{}/*/p?.service", {"sys.slice", "p1.service"}, {"p1.service"}},
    {"path of what is above", "{}/sys.slice", {"sys.slice", "p.service"}, {"sys.slice2"}},
};

/// The path of ballastd's cgroup from the root of the hierarchy.
std::string governed_path() {
    return scene->ballastd.cgroup().substr(cgroup_mount().size());
}

const Subgroup& nested(const std::vector<const char*>& names) {
    const Subgroup* made = nullptr;
    for (const auto* name : names)
        made = &make<Subgroup>(made != nullptr ? made->path() : scene->ballastd.cgroup(), name);
    return *made;
}

void pattern_holds(const Pattern& pattern) {
    const auto text = fmt::format(fmt::runtime(pattern.text), governed_path());
    const auto& dest = serve(*scene, families.front()).dest();
    scene->ballastd.enforce(policy_of({service("some", from(text, 2))}));
    // nothing else may match: both are nested, so one at a time
    auto& out = program_in(*scene, nested(pattern.out));
    check_gets(out, dest, 30, "admitted where " + text + " does not hold");
    out.kill();
    check_gets(program_in(*scene, nested(pattern.in)), dest, 2, "admitted where it holds");
    check_counted(dest, {{"some", 2}});
}

/// Each its own; where both hold, the one of the longer element.
void two_services_on_one_target(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(
        policy_of({service("a", from("a.service", 2)), service("b", from("b.service", 3)),
                   service("inner", from("inner.scope", 1))}));
    const auto& a = unit(*scene, "a.service");
    check_gets(program_in(*scene, a), dest, 2, "admitted in a.service");
    check_gets(program(*scene, "b.service"), dest, 3, "admitted in b.service");
    check_gets(program_in(*scene, make<Subgroup>(a.path(), "inner.scope")), dest, 1,
               "admitted in a.service/inner.scope");
    check_counted(dest, {{"a", 2}, {"b", 3}, {"inner", 1}});
}

/// Connections that are open go to the row that governs them now, and back.
void moves_live_connections(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    auto& ballastd = scene->ballastd;
    const auto rest = service("rest", limit_of(6));
    ballastd.enforce(policy_of({rest}));
    auto& a = program(*scene, "a.service");
    auto& b = program(*scene, "b.service");
    check_equal(admitted(a, attempts(dest, 3)), 3U, "admitted in a.service");
    check_equal(admitted(b, attempts(dest, 2)), 2U, "admitted in b.service");
    ballastd.enforce(policy_of({rest, service("batch", from("a.service", 4))}));
    check_counted(dest, {{"rest", 2}, {"batch", 3}});
    check_gets(a, dest, 1, "admitted in a.service, of whose 4 three are open");
    check_gets(b, dest, 4, "admitted in b.service, of whose 6 two are open");
    ballastd.enforce(policy_of({rest}));
    check_counted(dest, {{"rest", 10}, {"batch", 0}});
    a.close_some(4);
    await_in_use(ballastd, dest, 6);
    check_gets(b, dest, 0, "admitted with all 6 places taken");
    check_counted(dest, {{"rest", 6}, {"batch", 0}});
}

/// The same, of connections that no policy governed when they were opened.
void adopts_by_the_socket_s_cgroup(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(policy_of({service("batch", from("nobody.service", 1))}));
    auto& a = program(*scene, "a.service");
    auto& b = program(*scene, "b.service");
    check_equal(admitted(a, attempts(dest, 3)), 3U, "admitted in a.service");
    check_equal(admitted(b, attempts(dest, 2)), 2U, "admitted in b.service");
    scene->ballastd.enforce(
        policy_of({service("batch", from("a.service", 4)), service("rest", limit_of(3))}));
    check_counted(dest, {{"batch", 3}, {"rest", 2}});
    check_gets(a, dest, 1, "admitted in a.service, of whose 4 three are open");
    check_gets(b, dest, 1, "admitted in b.service, of whose 3 two are open");
    check_counted(dest, {{"batch", 4}, {"rest", 3}});
}

} // namespace

TEST_GROUP(consumers) {
    return Suite()
        .shared([] { scene = &make_scene(policy_of({service("rest", "")})); })
        .each(families, "from governs its cgroup and below", governs_its_cgroup_and_below)
        .each(families, "without another row the others are free", others_are_not_governed)
        .each(families, "a cgroup made later, with the daemon dead", cgroup_made_later)
        .each(families, "a cgroup made again under its name", cgroup_made_again)
        .each(patterns, "a pattern holds for what it says", pattern_holds)
        .each(families, "two services with from on one target", two_services_on_one_target)
        .each(families, "from added and removed moves live counts", moves_live_connections)
        .each(families, "what is adopted goes by its cgroup", adopts_by_the_socket_s_cgroup)
        .run("consumers");
}

} // namespace test_consumers

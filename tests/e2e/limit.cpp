// SPDX-License-Identifier: Apache-2.0
// Promise: a limit of N admits N, under any concurrency, and refuses the rest.
#include "tests/e2e/scene.h"

#include "tests/harness/crowd.h"
#include "tests/harness/group.h"
#include "tests/harness/nginx.h"

namespace test_limit {

using namespace ballast::test;

namespace {

constexpr unsigned limit = 10;
constexpr unsigned race_attempts = 3000;

Scene* scene = nullptr;
Nginx* nginx = nullptr;

struct Race {
    Crowd& crowd;
    Dest dest;
    const CrowdCounts& counts;
};

Race make_race(const Family& family, const std::string& mode = "enforce") {
    scene->ballastd.enforce(limit_policy(limit, mode));
    auto& crowd = make<Crowd>(scene->link.client);
    return {crowd, {family.server, nginx->next_port()}, crowd.counts()};
}

/// While the race is on, ss must never see more than the limit, from either side.
void watch(Race& race) {
    race.crowd.finish([&race] {
        check(ss_count(scene->link.client.fd(), race.dest, "ESTAB") <= limit,
              "ss sees no more established than the limit");
        check(ss_served(scene->link.server.fd(), race.dest, "ESTAB") <= limit,
              "the server sees no more established than the limit");
    });
}

void holds_exactly(const Family& family) {
    auto race = make_race(family);
    race.crowd.begin({.dest = race.dest, .attempts = race_attempts});
    watch(race);
    check_equal(race.counts.surprises.load(), 0U, "outcomes other than success and ECONNREFUSED");
    check_equal(race.counts.held.load(), limit, "connections held after the race");
    check_equal(race.counts.refused.load(), race_attempts - limit, "refusals");
    await_equal([&] { return nginx->requests(race.dest.port); }, limit, "requests nginx logged");
    check_equal(ss_served(scene->link.server.fd(), race.dest, "ESTAB"), limit,
                "connections that the server sees");
    check_exact(*scene, race.dest, limit);
    check_equal(scene->ballastd.value(race.dest, "admitted"), limit, "admitted");
    check_equal(scene->ballastd.value(race.dest, "refused"), race_attempts - limit, "refused");
}

void closing_one_admits_one(const Family& family) {
    auto race = make_race(family);
    race.crowd.race({.dest = race.dest, .threads = 4, .attempts = 2 * limit});
    for (const unsigned close : {1U, 3U}) {
        race.crowd.close_some(close);
        await_in_use(scene->ballastd, race.dest, limit - close);
        race.crowd.race({.dest = race.dest, .attempts = 200});
        check_equal(race.counts.held.load(), limit, fmt::format("held after closing {}", close));
    }
    check_equal(race.counts.held_max.load(), limit, "most ever held");
    check_equal(race.counts.surprises.load(), 0U, "surprises");
}

void churn_stays_below(const Family& family) {
    constexpr unsigned connections = 300;
    auto race = make_race(family);
    race.crowd.race({.dest = race.dest, .attempts = connections, .churn = true});
    check_equal(race.counts.surprises.load(), 0U, "outcomes other than success and ECONNREFUSED");
    check(race.counts.held_max.load() <= limit, "never more held than the limit");
    check_equal(race.counts.opened.load(), connections, "connections that came and went");
    check(race.counts.refused.load() > 0, "some were refused");
    check_exact(*scene, race.dest, 0);
    check_equal(scene->ballastd.value(race.dest, "admitted"), connections, "admitted");
    check_equal(scene->ballastd.value(race.dest, "refused"), race.counts.refused.load(), "refused");
}

void observe_admits_all(const Family& family) {
    auto race = make_race(family, "observe");
    race.crowd.race({.dest = race.dest, .threads = 16, .attempts = 40});
    check_equal(race.counts.held.load(), 40U, "held in observe mode");
    check_exact(*scene, race.dest, 40);
    check_equal(scene->ballastd.value(race.dest, "over_limit"), 40 - limit, "over_limit");
    check_equal(scene->ballastd.value(race.dest, "refused"), 0, "refused");
}

void off_does_not_count(const Family& family) {
    auto race = make_race(family, "off");
    race.crowd.race({.dest = race.dest, .threads = 16, .attempts = 40});
    check_equal(race.counts.held.load(), 40U, "held with the guard off");
    check_equal(scene->ballastd.in_use(race.dest), 0, "in_use");
    check_equal(scene->ballastd.value(race.dest, "over_limit"), 0, "over_limit");
}

void nothing_was_repaired() {
    check_no_repairs(scene->ballastd);
}

} // namespace

TEST_GROUP(limit) {
    return Suite()
        .shared([] {
            scene = &make_scene(limit_policy(limit));
            nginx = &make<Nginx>(scene->link.server);
        })
        .each(families, "a race of 64 threads holds exactly the limit", holds_exactly)
        .each(families, "closing some admits as many", closing_one_admits_one)
        .each(families, "opening and closing in a race stays below", churn_stays_below)
        .each(families, "observe admits all and counts the rest", observe_admits_all)
        .each(families, "off neither limits nor counts", off_does_not_count)
        .add("no sweep had to repair anything", nothing_was_repaired)
        .run("limit");
}

} // namespace test_limit

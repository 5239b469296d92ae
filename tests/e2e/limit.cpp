// SPDX-License-Identifier: Apache-2.0
// Promise: a limit of N admits N, under any concurrency, and refuses the rest at once.
#include "tests/e2e/scene.h"

#include "tests/harness/crowd.h"
#include "tests/harness/nginx.h"

using namespace ballast::test;

namespace {

constexpr unsigned limit = 10;
constexpr unsigned race_attempts = 3000;
constexpr std::uint16_t http = 80;

struct Race {
    Scene& scene;
    Nginx& nginx;
    Crowd& crowd;
    Dest dest;
};

Race make_race(const Family& family, const std::string& policy_text) {
    auto& scene = make_scene(policy_text);
    auto& nginx = make<Nginx>(scene.link.server, http);
    return {scene, nginx, make<Crowd>(scene.link.client), {family.server, http}};
}

/// While the race is on, ss must never see more than the limit, from either side.
void watch(Race& race) {
    race.crowd.finish([&race] {
        check(ss_count(race.scene.link.client.fd(), race.dest, "ESTAB") <= limit,
              "ss sees no more established than the limit");
        check(ss_served(race.scene.link.server.fd(), race.dest, "ESTAB") <= limit,
              "the server sees no more established than the limit");
    });
}

void holds_exactly(const Family& family) {
    auto race = make_race(family, limit_policy(limit));
    race.crowd.begin({.dest = race.dest, .attempts = race_attempts});
    watch(race);
    const auto& counts = race.crowd.counts();
    check_equal(counts.surprises.load(), 0U, "outcomes other than success and ECONNREFUSED");
    check_equal(counts.held.load(), limit, "connections held after the race");
    check_equal(counts.refused.load(), race_attempts - limit, "refusals");
    check_equal(race.nginx.requests(), limit, "requests that nginx served");
    check_equal(ss_served(race.scene.link.server.fd(), race.dest, "ESTAB"), limit,
                "connections that the server sees");
    check_exact(race.scene, race.dest, limit);
    check_equal(race.scene.ballastd.value(race.dest, "admitted"), limit, "admitted");
    check_equal(race.scene.ballastd.value(race.dest, "refused"), race_attempts - limit, "refused");
    check_no_repairs(race.scene.ballastd);
}

void closing_one_admits_one(const Family& family) {
    auto race = make_race(family, limit_policy(limit));
    const auto& counts = race.crowd.counts();
    race.crowd.race({.dest = race.dest, .threads = 4, .attempts = 2 * limit});
    for (const unsigned close : {1U, 3U}) {
        race.crowd.close_some(close);
        await_in_use(race.scene.ballastd, race.dest, limit - close);
        race.crowd.race({.dest = race.dest, .attempts = 200});
        check_equal(counts.held.load(), limit, fmt::format("held after closing {}", close));
    }
    check_equal(counts.held_max.load(), limit, "most ever held");
    check_equal(counts.surprises.load(), 0U, "surprises");
}

void churn_stays_below(const Family& family) {
    auto race = make_race(family, limit_policy(limit));
    race.crowd.race({.dest = race.dest, .attempts = race_attempts, .churn = true});
    const auto& counts = race.crowd.counts();
    check_equal(counts.surprises.load(), 0U, "outcomes other than success and ECONNREFUSED");
    check(counts.held_max.load() <= limit, "never more held than the limit");
    check(counts.opened.load() > limit, "places were used again");
    check_exact(race.scene, race.dest, 0);
    auto& ballastd = race.scene.ballastd;
    check_equal(ballastd.value(race.dest, "admitted"), counts.opened.load(), "admitted");
    check_equal(ballastd.value(race.dest, "refused"), counts.refused.load(), "refused");
    check_no_repairs(race.scene.ballastd);
}

void observe_admits_all(const Family& family) {
    auto race = make_race(family, limit_policy(limit, "observe"));
    race.crowd.race({.dest = race.dest, .threads = 16, .attempts = 40});
    check_equal(race.crowd.counts().held.load(), 40U, "held in observe mode");
    check_exact(race.scene, race.dest, 40);
    check_equal(race.scene.ballastd.value(race.dest, "over_limit"), 40 - limit, "over_limit");
    check_equal(race.scene.ballastd.value(race.dest, "refused"), 0, "refused");
}

void off_does_not_count(const Family& family) {
    auto race = make_race(family, limit_policy(limit, "off"));
    race.crowd.race({.dest = race.dest, .threads = 16, .attempts = 40});
    check_equal(race.crowd.counts().held.load(), 40U, "held with the guard off");
    check_equal(race.scene.ballastd.in_use(race.dest), 0, "in_use");
    check_equal(race.scene.ballastd.value(race.dest, "over_limit"), 0, "over_limit");
}

} // namespace

int main() {
    return Suite()
        .each(families, "a race of 64 threads holds exactly the limit", holds_exactly)
        .each(families, "closing some admits as many", closing_one_admits_one)
        .each(families, "opening and closing in a race stays below", churn_stays_below)
        .each(families, "observe admits all and counts the rest", observe_admits_all)
        .each(families, "off neither limits nor counts", off_does_not_count)
        .run("limit");
}

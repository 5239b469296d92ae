// SPDX-License-Identifier: Apache-2.0
// Promise: a limit set by the CLI is in force at once, outlives restarts and crashes, and is gone
// when it is unset.
#include "tests/e2e/scene.h"

using namespace ballast;
using namespace ballast::test;

namespace {

Scene* scene = nullptr;

/// Exactly `count` connections in all can be open; leaves them open.
void check_limit(std::vector<Fd>& open, const Dest& dest, unsigned count,
                 Where where = Where::current()) {
    while (open.size() < count) {
        auto made = attempt(scene->link.client, dest);
        check_errno(made.error, 0, fmt::format("connection {}", open.size() + 1), where);
        open.push_back(std::move(made.socket));
    }
    check_refused(*scene, dest, fmt::format("connection {}", count + 1), where);
}

void set(const std::string& target, unsigned limit) {
    scene->ballastd.json(
        {"limit", "set", target, "--max", std::to_string(limit), "--mode", "enforce"});
}

void set_and_unset(const Dest& dest, const std::string& target) {
    auto& ballastd = scene->ballastd;
    auto& open = make<std::vector<Fd>>();
    check_limit(open, dest, 1);
    set(target, 2);
    check_limit(open, dest, 2);
    ballastd.stop();
    ballastd.start();
    check_limit(open, dest, 2);
    set(target, 3);
    ballastd.crash();
    ballastd.start();
    check_limit(open, dest, 3);
    const auto listed = ballastd.json({"limit", "list"}).at("overrides");
    check_equal(listed.at(0).at("target").get<std::string>(), target, "the override listed");
    ballastd.json({"limit", "unset", target});
    open.pop_back();
    await_in_use(ballastd, dest, 2);
    check_refused(*scene, dest, "over the file's limit");
    open.clear();
    await_in_use(ballastd, dest, 0);
    check_limit(open, dest, 1);
    check_no_repairs(ballastd);
}

void by_service(const Family& family) {
    set_and_unset(serve(*scene, family).dest(), "test");
}

void by_endpoint(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    set_and_unset(dest, dest.text());
}

void endpoint_leaves_others_alone(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    const auto& other = serve(*scene, family).dest();
    set(dest.text(), 3);
    check_limit(make<std::vector<Fd>>(), other, 1);
    check_limit(make<std::vector<Fd>>(), dest, 3);
    scene->ballastd.json({"limit", "unset", dest.text()});
}

void survives_a_reload(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    set("test", 2);
    scene->ballastd.enforce(limit_policy(5));
    check_limit(make<std::vector<Fd>>(), dest, 2);
    scene->ballastd.json({"limit", "unset", "test"});
    scene->ballastd.enforce(limit_policy(1));
}

void unset_of_nothing() {
    constexpr int not_found = 4;
    const auto outcome = scene->ballastd.cli({"limit", "unset", "10.77.0.2:9"});
    check_equal(outcome.status, not_found, "exit status of unsetting what was never set");
    check(outcome.err.find("10.77.0.2:9") != std::string::npos, "it names what: " + outcome.err);
}

} // namespace

int main() {
    return Suite()
        .shared([] { scene = &make_scene(limit_policy(1)); })
        .each(families, "set by service", by_service)
        .each(families, "set by endpoint", by_endpoint)
        .each(families, "an endpoint's leaves other destinations alone",
              endpoint_leaves_others_alone)
        .each(families, "survives a reload", survives_a_reload)
        .add("unset of what was never set", unset_of_nothing)
        .run("overrides");
}

// SPDX-License-Identifier: Apache-2.0
// Promise: a limit set by the CLI is in force at once, outlives restarts and crashes, and is gone
// when it is unset or has had its time.
#include <filesystem>

#include "daemon/store/sqlite.h"
#include "tests/e2e/programs.h"
#include "tests/harness/group.h"
#include "tests/harness/wait.h"

namespace test_overrides {

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

void set(const std::string& target, const std::vector<std::string>& limits) {
    std::vector<std::string> words{"limit", "set", target, "--mode", "enforce"};
    words.insert(words.end(), limits.begin(), limits.end());
    scene->ballastd.json(words);
}

void set(const std::string& target, unsigned limit) {
    set(target, {"--max", std::to_string(limit)});
}

void unset(const std::string& target) {
    scene->ballastd.json({"limit", "unset", target});
}

Json overrides() {
    return scene->ballastd.get("/v1/limits").at("overrides");
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

/// The burst comes at once; after it no more than the rate allows for the time that went by.
void rate_by_endpoint(const Family& family) {
    constexpr unsigned burst = 3;
    const auto& dest = serve(*scene, family).dest();
    set(dest.text(), {"--max", "100", "--rate", "1", "--burst", std::to_string(burst)});
    const auto begun = Clock::now();
    const auto got = admitted(program(*scene, "a.service"), attempts(dest, 100));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(Clock::now() - begun).count();
    check(got >= burst, fmt::format("the burst was admitted: {}", got));
    check(got <= burst + static_cast<unsigned>(seconds), fmt::format("no more than that: {}", got));
    check_equal(scene->ballastd.value(dest, "refused"), long{100} - got, "refused");
    unset(dest.text());
}

/// Of a service of its own, so that nothing else has a place in its total.
void total_by_service(const Family& family) {
    const std::string name = fmt::format("all-{}", family.domain == AF_INET ? "v4" : "v6");
    const auto& first = serve(*scene, family).dest();
    const auto& second = serve(*scene, family).dest();
    scene->ballastd.enforce(
        policy({{.to = {first.text(), second.text()}, .limit = 1, .name = name}}));
    set(name, {"--max", "3", "--total", "4"});
    check_limit(make<std::vector<Fd>>(), first, 3);
    check_limit(make<std::vector<Fd>>(), second, 1);
    unset(name);
    scene->ballastd.enforce(limit_policy(1));
}

void share_by_service(const Family& family) {
    constexpr unsigned share = 2;
    const auto& dest = serve(*scene, family).dest();
    set("test", {"--max", "5", "--per-consumer", std::to_string(share)});
    check_equal(admitted(program(*scene, "a.service"), attempts(dest, 20)), share, "of the first");
    check_equal(admitted(program(*scene, "b.service"), attempts(dest, 20)), share, "of the second");
    unset("test");
}

void contradiction_is_refused() {
    const auto outcome = scene->ballastd.cli({"limit", "set", "test", "--burst", "5"});
    check(outcome.status != 0, "a burst without a rate is refused");
    check(outcome.err.find("burst 5 needs a max_connect_rate") != std::string::npos, outcome.err);
    check_equal(overrides().size(), 0U, "overrides that are stored");
}

/// The log has one line of it.
void check_logged(const std::string& target, std::size_t from, Where where = Where::current()) {
    const std::string wanted = fmt::format("override expired target={} by=", target);
    const std::string log = scene->ballastd.log();
    const auto found = log.find(wanted, from);
    check(found != std::string::npos, "the log names the override: " + wanted, where);
    check(log.find(wanted, found + 1) == std::string::npos, "it is logged once", where);
}

/// Two places are taken of three, then of one.
void expires(const Dest& dest, const std::string& target) {
    const auto logged = scene->ballastd.log().size();
    const auto begun = Clock::now();
    set(target, {"--max", "3", "--for", "2s"});
    auto& open = make<std::vector<Fd>>();
    for (auto made = attempt(scene->link.client, dest); made.error == 0 && open.size() < 2;
         made = attempt(scene->link.client, dest))
        open.push_back(std::move(made.socket));
    if (Clock::now() - begun < std::chrono::seconds(2))
        check_equal(open.size(), 2U, "connections while it is in force");
    await([] { return overrides().empty(); }, "the end of the override");
    check(Clock::now() - begun >= std::chrono::seconds(2), "not before its time");
    scene->ballastd.sweep(); // what was counted for the override is the file's service's now
    check_refused(*scene, dest, "over the file's limit");
    check_logged(target, logged);
    open.clear();
    await_in_use(scene->ballastd, dest, 0);
    check_limit(open, dest, 1);
    check_no_repairs(scene->ballastd);
}

void service_expires(const Family& family) {
    expires(serve(*scene, family).dest(), "test");
}

void endpoint_expires(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    expires(dest, dest.text());
}

void limited_in_time_is_kept() {
    set("test", {"--max", "2", "--for", "1h"});
    scene->ballastd.crash();
    scene->ballastd.start();
    const Json row = overrides().at(0);
    const auto left = row.at("expires_in_ms").get<long>();
    check(left > 3'000'000 && left < 3'600'000, "what is left of an hour: " + row.dump());
    check_limit(make<std::vector<Fd>>(), serve(*scene, families.front()).dest(), 2);
    unset("test");
}

/// With the daemon dead nothing ends it, and time is all there is to wait for.
void expired_while_dead(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    auto& ballastd = scene->ballastd;
    set("test", {"--max", "3", "--for", "1s"});
    const auto set_before = std::chrono::system_clock::now();
    ballastd.crash();
    const auto logged = ballastd.log().size();
    await([&] { return std::chrono::system_clock::now() > set_before + std::chrono::seconds(1); },
          "the end of the override's time");
    ballastd.start();
    check_equal(overrides().size(), 0U, "overrides after the start");
    check_limit(make<std::vector<Fd>>(), dest, 1);
    check_logged("test", logged);
    check_no_repairs(ballastd);
}

/// Files that are refused stop no expiry: the policy before them stays, without the override.
void expires_with_files_refused() {
    const auto& dest = serve(*scene, families.front()).dest();
    set("test", {"--max", "3", "--for", "2s"});
    scene->ballastd.write_policy("mistake");
    await([&] { return !scene->ballastd.status().at("policy").at("error").is_null(); },
          "the refusal of the file");
    open_connections(scene->link.client, dest, 1);
    await([] { return overrides().empty(); }, "the end of the override");
    check_refused(*scene, dest, "over the limit of the last files that were accepted");
    scene->ballastd.enforce(limit_policy(1));
}

/// As ballastd made it before there were other limits than max_connections.
constexpr const char* store_of_version_1 = R"(
CREATE TABLE overrides (
    target TEXT PRIMARY KEY NOT NULL,
    max_connections INTEGER CHECK (max_connections BETWEEN 1 AND 1000000),
    mode TEXT CHECK (mode IN ('off', 'observe', 'enforce')),
    on_limit TEXT CHECK (on_limit IN ('refused', 'again', 'unreachable')),
    set_by TEXT NOT NULL,
    set_at_ns INTEGER NOT NULL
) STRICT;
INSERT INTO overrides VALUES ('test', 2, 'enforce', NULL, 'somebody', 1700000000000000000);
PRAGMA user_version = 1;
)";

void older_store_is_migrated(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    auto& ballastd = scene->ballastd;
    const std::string file = ballastd.state_dir() + "/ballast.db";
    ballastd.stop();
    for (const char* part : {"", "-wal", "-shm"})
        std::filesystem::remove(file + part);
    {
        const auto store = Database::open(file);
        check(store && store->run(store_of_version_1), "a store of version 1 is made");
    }
    ballastd.start();
    check_limit(make<std::vector<Fd>>(), dest, 2);
    check_equal(overrides().at(0).at("set_by").get<std::string>(), "somebody", "who had set it");
    set("test", {"--max", "3", "--total", "9", "--for", "1h"});
    ballastd.crash();
    ballastd.start();
    const Json row = overrides().at(0);
    check_equal(row.at("max_connections_total").get<int>(), 9, "what only version 2 can keep");
    unset("test");
}

void unset_of_nothing() {
    constexpr int not_found = 4;
    const auto outcome = scene->ballastd.cli({"limit", "unset", "10.77.0.2:9"});
    check_equal(outcome.status, not_found, "exit status of unsetting what was never set");
    check(outcome.err.find("10.77.0.2:9") != std::string::npos, "it names what: " + outcome.err);
}

} // namespace

TEST_GROUP(overrides) {
    return Suite()
        .shared([] { scene = &make_scene(limit_policy(1)); })
        .each(families, "set by service", by_service)
        .each(families, "set by endpoint", by_endpoint)
        .each(families, "an endpoint's leaves other destinations alone",
              endpoint_leaves_others_alone)
        .each(families, "survives a reload", survives_a_reload)
        .each(families, "a rate set by endpoint", rate_by_endpoint)
        .each(families, "a total set by service", total_by_service)
        .each(families, "shares set by service", share_by_service)
        .add("what contradicts the policy is refused", contradiction_is_refused)
        .each(families, "a service's ends by itself", service_expires)
        .each(families, "an endpoint's ends by itself", endpoint_expires)
        .add("one that is to end survives a crash until then", limited_in_time_is_kept)
        .each(families, "one that ended with the daemon dead is gone", expired_while_dead)
        .add("one ends although the files are refused", expires_with_files_refused)
        .each(families, "those of an older store are kept", older_store_is_migrated)
        .add("unset of what was never set", unset_of_nothing)
        .run("overrides");
}

} // namespace test_overrides

// SPDX-License-Identifier: Apache-2.0
// Promise: SIGHUP or a changed file puts a new policy in force for the connections that are there;
// a bad file is refused with its place, and the running policy stays.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <csignal>
#include <filesystem>

namespace test_reload {

using namespace ballast;
using namespace ballast::test;

namespace {

Scene* scene = nullptr;

/// The policy with a service more that nothing else names, and its name.
struct Marked {
    std::string marker;
    std::string text;
};

Marked mark(const std::string& policy_text) {
    static int number = 0;
    const auto marker = fmt::format("marker-{}", ++number);
    return {marker, fmt::format("{}\n[[service]]\nname = \"{}\"\nto = [\"192.0.2.1:{}\"]\n",
                                policy_text, marker, number)};
}

void await_service(const std::string& name, bool there = true) {
    await([&] { return scene->ballastd.has_service(name) == there; },
          name + (there ? " in force" : " out of force"));
    scene->ballastd.sweep(); // connections are counted by it from now on
}

/// Changes the policy file and waits until the daemon notices by itself.
void change(const std::string& policy_text) {
    const auto marked = mark(policy_text);
    scene->ballastd.write_policy(marked.text);
    await_service(marked.marker);
}

std::vector<Fd>& open(const Dest& dest, unsigned count) {
    return open_connections(scene->link.client, dest, count);
}

void refuses_next(const Dest& dest, Where where = Where::current()) {
    check_refused(*scene, dest, "one over the limit", where);
}

void changed_file(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    change(limit_policy(2));
    open(dest, 2);
    refuses_next(dest);
    change(limit_policy(4));
    open(dest, 2);
    refuses_next(dest);
    check_exact(*scene, dest, 4);
    check_no_repairs(scene->ballastd);
}

/// The file is a link into a directory that is not watched, so only the signal can announce it.
void hangup() {
    auto& ballastd = scene->ballastd;
    const auto& dest = serve(*scene, families.front()).dest();
    const auto elsewhere = make_temp_dir() + "/real.toml";
    const auto first = mark(limit_policy(1));
    write_file(elsewhere, first.text);
    std::filesystem::create_symlink(elsewhere, ballastd.policy_file() + ".new");
    std::filesystem::rename(ballastd.policy_file() + ".new", ballastd.policy_file());
    await_service(first.marker);
    open(dest, 1);
    refuses_next(dest);
    const auto second = mark(limit_policy(2));
    write_file(elsewhere, second.text);
    ballastd.signal(SIGHUP);
    await_service(second.marker);
    open(dest, 1);
    refuses_next(dest);
}

void lowered_below_what_is_open(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(limit_policy(3));
    auto& held = open(dest, 3);
    scene->ballastd.enforce(limit_policy(1));
    check_exact(*scene, dest, 3);
    while (!held.empty()) {
        refuses_next(dest);
        held.pop_back();
        await_in_use(scene->ballastd, dest, static_cast<long>(held.size()));
    }
    open(dest, 1);
    refuses_next(dest);
}

/// The count moves with the connections to the service that governs them now.
void renamed_service(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(limit_policy(2));
    auto& held = open(dest, 2);
    scene->ballastd.enforce(policy({{.limit = 3, .name = "renamed"}}));
    check_exact(*scene, dest, 2);
    check_equal(scene->ballastd.row(dest, "renamed").at("in_use").get<long>(), 2,
                "in_use of the renamed service");
    open(dest, 1);
    refuses_next(dest);
    held.clear();
    check_exact(*scene, dest, 1);
    check_no_repairs(scene->ballastd);
}

void to_observe_and_back(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(limit_policy(1));
    open(dest, 1);
    refuses_next(dest);
    scene->ballastd.enforce(limit_policy(1, "observe"));
    open(dest, 1);
    scene->ballastd.enforce(limit_policy(1));
    refuses_next(dest);
    check_exact(*scene, dest, 2);
}

/// A connection made while nothing governed its destination is adopted when something does, and
/// let go when nothing does any longer.
void newly_governed(const Family& family) {
    const auto ungoverned = policy({{.to = {"192.0.2.1:1"}, .limit = 1}});
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(ungoverned);
    auto& held = open(dest, 2);
    scene->ballastd.enforce(limit_policy(2));
    refuses_next(dest);
    check_exact(*scene, dest, 2);
    held.pop_back();
    check_exact(*scene, dest, 1);
    scene->ballastd.enforce(ungoverned);
    open(dest, 3);
    scene->ballastd.enforce(limit_policy(5));
    check_exact(*scene, dest, 4);
    check_no_repairs(scene->ballastd);
}

struct BadFile {
    const char* name;
    const char* text;
    const char* place; ///< what the refusal has to name
    const char* key;
};

constexpr BadFile bad_files[] = {
    {"out of range", "[[service]]\nname = \"test\"\nto = [\"10.77.0.2\"]\nmax_connections = 0\n",
     "policy.toml:4", "max_connections"},
    {"unknown key", "[daemon]\nsweep_intervall = \"1s\"\n", "policy.toml:2", "sweep_intervall"},
    {"bad word", "[[service]]\nname = \"test\"\nto = [\"10.77.0.2\"]\n\nmode = \"enforced\"\n",
     "policy.toml:5", "mode"},
    {"not TOML", "[daemon]\nsweep_interval = \n", "policy.toml:2", ""},
};

/// Why the newest file is not in force; empty when it is.
std::string refusal() {
    const auto error = scene->ballastd.status().at("policy").at("error");
    return error.is_null() ? std::string() : error.get<std::string>();
}

void bad_file_is_refused(const BadFile& bad) {
    const auto& dest = serve(*scene, families.front()).dest();
    scene->ballastd.enforce(limit_policy(1));
    open(dest, 1);
    const auto logged = scene->ballastd.log().size();
    scene->ballastd.write_policy(bad.text);
    await([&] { return !refusal().empty(); }, "the refusal of the bad file");
    check(refusal().find(bad.place) != std::string::npos, bad.place + (" is in: " + refusal()));
    check(refusal().find(bad.key) != std::string::npos, bad.key + (" is in: " + refusal()));
    check(scene->ballastd.log().find(bad.place, logged) != std::string::npos, "it is logged");
    refuses_next(dest);
    change(limit_policy(2));
    check_equal(refusal(), "", "the refusal, once the file is good");
    open(dest, 1);
}

/// A restart must not be worse than no restart.
void bad_file_at_restart(const Family& family) {
    const auto& dest = serve(*scene, family).dest();
    scene->ballastd.enforce(limit_policy(1));
    open(dest, 1);
    scene->ballastd.crash();
    scene->ballastd.write_policy(bad_files[0].text);
    scene->ballastd.start();
    refuses_next(dest);
    check_exact(*scene, dest, 1);
    check(!refusal().empty(), "the refusal is shown");
    scene->ballastd.enforce(limit_policy(1));
    check_no_repairs(scene->ballastd);
}

/// The policy keys that an adopting daemon shows.
constexpr const char* recalled[] = {"max_connections",
                                    "max_connections_total",
                                    "max_per_consumer",
                                    "max_connect_rate",
                                    "burst",
                                    "mode",
                                    "on_limit",
                                    "breaker"};

/// Without its files, a restarted daemon knows the limits from the pinned maps.
void limits_are_recalled() {
    auto& ballastd = scene->ballastd;
    ballastd.enforce("[[service]]\nname = \"all\"\nto = [\"10.77.0.0/24\"]\nmode = \"enforce\"\n"
                     "max_connections = 10\nmax_connections_total = 20\nmax_per_consumer = 5\n"
                     "max_connect_rate = 300\nburst = 400\non_limit = \"again\"\n"
                     "[service.breaker]\nmode = \"enforce\"\nrefused = 7\nopen_for = \"3s\"\n");
    const Json before = ballastd.json({"limit", "list"}).at("limits").at(0);
    ballastd.crash();
    ballastd.write_policy(bad_files[0].text);
    ballastd.start();
    check(!refusal().empty(), "the refusal is shown");
    const Json after = ballastd.json({"limit", "list"}).at("limits").at(0);
    for (const char* key : recalled)
        check_equal(after.at(key).dump(), before.at(key).dump(), key);
    ballastd.enforce(limit_policy(1));
}

void bad_file_at_first_start() {
    auto& ballastd = make<Ballastd>(bad_files[0].text);
    check(ballastd.start_to_fail() != 0, "a first start with a bad file fails");
    check(ballastd.log().find(bad_files[0].place) != std::string::npos, "it says where");
    check(!std::filesystem::exists(ballastd.bpffs()), "nothing was left pinned");
}

void drop_ins(const Family& family) {
    auto& ballastd = scene->ballastd;
    const auto& dest = serve(*scene, family).dest();
    ballastd.enforce(limit_policy(1));
    open(dest, 1);
    refuses_next(dest);
    ballastd.write_dropin("10-other.toml",
                          fmt::format("[[service]]\nname = \"other\"\nto = [\"{}\"]\n"
                                      "max_connections = 2\nmode = \"enforce\"\n",
                                      dest.text()));
    await_service("other");
    open(dest, 1);
    refuses_next(dest);
    ballastd.remove_dropin("10-other.toml");
    await_service("other", false);
    refuses_next(dest);
    check_exact(*scene, dest, 2);
    check_no_repairs(ballastd);
}

} // namespace

TEST_GROUP(reload) {
    return Suite()
        .shared([] { scene = &make_scene(limit_policy(1)); })
        .each(families, "a changed file is in force for live counts", changed_file)
        .each(families, "a limit below what is open", lowered_below_what_is_open)
        .each(families, "a renamed service keeps its counts", renamed_service)
        .each(families, "to observe and back", to_observe_and_back)
        .each(families, "what is newly governed is adopted", newly_governed)
        .each(bad_files, "a bad file is refused, the policy stays", bad_file_is_refused)
        .each(families, "a bad file at a restart", bad_file_at_restart)
        .add("limits are recalled with a bad file at a restart", limits_are_recalled)
        .add("a bad file at the first start", bad_file_at_first_start)
        .each(families, "drop-ins come and go", drop_ins)
        .add("SIGHUP alone is enough", hangup)
        .run("reload");
}

} // namespace test_reload

// SPDX-License-Identifier: Apache-2.0
// Promise: entries no longer in use free their place in the tables; those that something refers to,
// or a person decided about, keep it.
#include "tests/e2e/failing.h"
#include "tests/e2e/programs.h"
#include "tests/harness/group.h"

#include <sys/stat.h>

namespace test_recycling {

using namespace ballast;
using namespace ballast::test;

namespace {

/// For what is done in rounds of ten seconds, two of which may pass.
void await_rounds(const std::function<bool()>& holds, const std::string& what) {
    check(wait_until(holds, patience(std::chrono::minutes(1))), "waited for " + what);
}

std::uint64_t cgroup_id(const Subgroup& cgroup) {
    struct stat status {};
    need(::stat(cgroup.path().c_str(), &status) == 0, cgroup.path());
    return status.st_ino;
}

/// The first `size` bytes of an element of a pinned map, as a number; nothing where it has none.
std::optional<std::uint64_t> element(const Scene& scene, const std::string& map, std::uint64_t key,
                                     int key_size, std::size_t size) {
    Command command;
    command.argv = {
        "bpftool", "--json", "map", "lookup", "pinned", scene.ballastd.bpffs() + "/" + map, "key"};
    for (int i = 0; i < key_size; ++i)
        command.argv.push_back(fmt::format("{}", key >> (8 * i) & 0xff));
    const auto outcome = run(command);
    const auto found = Json::parse(outcome.out, nullptr, false);
    if (outcome.status != 0 || !found.contains("value"))
        return std::nullopt;
    std::uint64_t number = 0;
    for (std::size_t i = size; i-- > 0;)
        number = number << 8 | std::stoul(found.at("value").at(i).get<std::string>(), nullptr, 0);
    return number;
}

/// The cgroup's index in `consumers`.
std::optional<std::uint64_t> index_of(const Scene& scene, std::uint64_t cgroup) {
    return element(scene, "consumer_index", cgroup, 8, 4);
}

/// The cgroup that has the index; 0: none.
std::uint64_t owner_of(const Scene& scene, std::uint64_t index) {
    const auto owner = element(scene, "consumers", index, 4, 8);
    check(owner.has_value(), fmt::format("bpftool shows element {} of consumers", index));
    return *owner;
}

/// A cgroup that has connected, and can be removed before the test ends.
struct Consumer {
    Consumer(const Scene& scene, const std::string& name)
        : cgroup(std::in_place, scene.ballastd.cgroup(), name), id(cgroup_id(*cgroup)) {}

    std::optional<Subgroup> cgroup;
    std::uint64_t id;
};

/// A connection that the test process made inside the cgroup, which it has left since.
Fd& connection_from(const Scene& scene, const Consumer& consumer, const Dest& dest) {
    consumer.cgroup->join();
    auto& made = make<Attempt>(attempt(scene.link.client, dest));
    scene.ballastd.own_cgroup()->enter();
    check_errno(made.error, 0, "a connection from " + consumer.cgroup->path());
    return made.socket;
}

void consumers_are_given_back(const Family& family) {
    auto& scene =
        make_scene(policy_of({service("units", "from = [\"*.service\"]\nmax_connections = 9")}));
    const auto& dest = serve(scene, family).dest();
    auto& holds = make<Consumer>(scene, "holds.service");
    auto& gone = make<Consumer>(scene, "gone.service");
    auto& held = connection_from(scene, holds, dest);
    connection_from(scene, gone, dest).reset();
    await_in_use(scene.ballastd, dest, 1);
    const auto held_index = index_of(scene, holds.id);
    const auto gone_index = index_of(scene, gone.id);
    check(held_index && gone_index && held_index != gone_index, "each has an index of its own");
    holds.cgroup.reset();
    gone.cgroup.reset();

    await_rounds([&] { return owner_of(scene, *gone_index) == 0; }, "the index of gone.service");
    check(!index_of(scene, gone.id), "its cgroup has none any more");
    check_equal(owner_of(scene, *held_index), holds.id, "owner of what a reservation refers to");
    const Consumer& next = make<Consumer>(scene, "next.service");
    connection_from(scene, next, dest);
    check(index_of(scene, next.id) == gone_index, "the next new cgroup gets that index");

    held.reset();
    await_in_use(scene.ballastd, dest, 1);
    await_rounds([&] { return owner_of(scene, *held_index) == 0; }, "the index of holds.service");
    check_equal(owner_of(scene, *gone_index), next.id, "owner of the index that is in use again");
    check_no_repairs(scene.ballastd);
}

/// A person's decision about a breaker outlives the destination's entry.
void forced_breakers_stay(const Family& family) {
    auto& scene = make_scene(
        breaker_policy({.daemon = "sweep_interval = \"1s\"\ndestination_ttl = \"10s\""}));
    const auto forced = dead_peer(scene, family).dest;
    const auto other = dead_peer(scene, family).dest;
    fail_times(scene, forced, 1);
    fail_times(scene, other, 1); // later, so it is forgotten later too
    check_equal(scene.ballastd.cli({"breaker", "open", forced.text()}).status, 0, "open");
    await_rounds([&] { return scene.ballastd.row(other, "test").is_null(); },
                 "the other destination to be forgotten");
    check(!scene.ballastd.row(forced, "test").is_null(), "the forced one is not");
    check_errno(error_of(scene, forced), EHOSTUNREACH, "and is still refused");
    check_errno(error_of(scene, other), ECONNREFUSED, "the other begins anew");
}

} // namespace

TEST_GROUP(recycling) {
    return Suite()
        .add("consumers are given back", [] { consumers_are_given_back(families.front()); })
        .add("a forced breaker outlives its destination",
             [] { forced_breakers_stay(families.back()); })
        .run_at_once("recycling", 2);
}

} // namespace test_recycling

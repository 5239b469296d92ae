// SPDX-License-Identifier: Apache-2.0
// Promise: a DNS name in `to` governs the addresses that the host's resolver has for it, follows
// them, keeps the last good ones when the name fails, over restarts too, and never holds anything
// up.
#include <filesystem>

#include "tests/e2e/etc.h"
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"
#include "tests/harness/http.h"
#include "tests/harness/process.h"

namespace test_names {

using namespace ballast;
using namespace ballast::test;

namespace {

namespace fs = std::filesystem;

constexpr std::uint16_t port = 8001;

/// The addresses that names have here: the server's own, and one more.
struct Both {
    const char* name;
    const char* first;
    const char* second;
};

constexpr Both both[] = {
    {"ipv4", "10.77.0.2", "10.77.0.3"},
    {"ipv6", "fd77::2", "fd77::3"},
};

/// The case's own; the server has the addresses of `both`.
const Link& link_here() {
    static const Link* link = nullptr;
    if (link == nullptr) {
        link = &make<Link>(make_link());
        link->server.ip({fmt::format("addr add {}/24 dev s0", both[0].second),
                         fmt::format("addr add {}/64 dev s0 nodad", both[1].second)});
    }
    return *link;
}

/// A line of /etc/hosts for each address.
std::string hosts_of(const std::string& name, const std::vector<const char*>& addresses) {
    std::string text;
    for (const char* address : addresses)
        text += fmt::format("{} {}\n", address, name);
    return text;
}

std::string to(std::string_view elements, unsigned limit, std::string_view name = "db") {
    return fmt::format("\n[[service]]\nname = \"{}\"\nto = [{}]\nmax_connections = {}\n"
                       "mode = \"enforce\"\n",
                       name, elements, limit);
}

const std::string quick = "[daemon]\nsweep_interval = \"1s\"\nresolve_every = \"1s\"\n";

struct Named {
    Etc& etc;
    Scene scene;
};

/// A ballastd whose /etc/hosts begins as `hosts`.
Named& start(const std::string& policy_text, const std::string& hosts) {
    auto& etc = make<Etc>();
    etc.hosts(hosts);
    auto& ballastd = make<Ballastd>(policy_text, BallastdOptions{.mount_namespace = etc.mounts()});
    ballastd.start();
    return make<Named>(etc, Scene{link_here(), ballastd});
}

Dest serve_at(const char* address) {
    return make<Listener>(link_here().server, Dest{address, port}).dest();
}

/// The service that governs it; empty: none does.
std::string governing(Ballastd& ballastd, const Dest& dest) {
    const auto answer = ballastd.get("/v1/explain?destination=" + url_encoded(dest.text()));
    return answer.at("governing").is_null() ? "" : answer.at("governing").get<std::string>();
}

void await_governed(Named& named, const Dest& dest, const std::string& by,
                    Where where = Where::current()) {
    await_equal([&] { return governing(named.scene.ballastd, dest); }, by,
                "who governs " + dest.text(), where);
    named.scene.ballastd.sweep(); // connections are counted by it from now on
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
        ++found;
    return found;
}

std::size_t logged(const Named& named, const std::string& part) {
    return count(named.scene.ballastd.log(), part);
}

/// Waits for `more` further lookups with that outcome.
void await_lookups(const Named& named, std::size_t more, const std::string& outcome) {
    const auto wanted = logged(named, outcome) + more;
    await([&] { return logged(named, outcome) >= wanted; }, "further lookups: " + outcome);
}

const std::string failure = "looked up name=db.test addresses=0";

void limits_the_addresses(const Both& family) {
    auto& named =
        start(quick + to("\"db.test:8001\"", 2), hosts_of("db.test", {"10.77.0.2", "fd77::2"}));
    const auto dest = serve_at(family.first);
    const auto other = serve_at(family.second);
    await_governed(named, dest, "db");
    open_connections(link_here().client, dest, 2);
    check_refused(named.scene, dest, "one over the limit");
    open_connections(link_here().client, other, 3);
    check_equal(governing(named.scene.ballastd, other), "", "who governs another address");
    check_exact(named.scene, dest, 2);
}

/// The count of what is open moves with the address that is governed, away and back.
void follows_a_change(const Both& family) {
    auto& named = start(quick + to("\"db.test:8001\"", 2), hosts_of("db.test", {family.first}));
    const auto first = serve_at(family.first);
    const auto second = serve_at(family.second);
    await_governed(named, first, "db");
    open_connections(link_here().client, first, 2);
    check_refused(named.scene, first, "one over the limit");
    named.etc.hosts(hosts_of("db.test", {family.second}));
    await_governed(named, second, "db");
    check_equal(governing(named.scene.ballastd, first), "", "who governs the old address");
    open_connections(link_here().client, second, 2);
    check_refused(named.scene, second, "one over the limit of the new address");
    open_connections(link_here().client, first, 1);
    named.etc.hosts(hosts_of("db.test", {family.first, family.second}));
    await_governed(named, first, "db");
    check_refused(named.scene, first, "three are open where two may be");
    check_exact(named.scene, first, 3);
    check_exact(named.scene, second, 2);
    check_no_repairs(named.scene.ballastd);
}

void writes_nothing_without_a_change() {
    auto& named = start(quick + to("\"db.test:8001\"", 2), hosts_of("db.test", {"10.77.0.2"}));
    await_governed(named, {"10.77.0.2", port}, "db");
    const auto generation = [&] {
        return named.scene.ballastd.status().at("policy").at("generation").get<long>();
    };
    const long before = generation();
    await_lookups(named, 2, "looked up name=db.test addresses=1");
    check_equal(generation(), before, "generation of the policy after more lookups");
    check_equal(logged(named, "resolved name=db.test"), 1U, "changes in the log");
}

void keeps_the_last_answer(const Both& family) {
    auto& named = start(quick + to("\"db.test:8001\"", 2), hosts_of("db.test", {family.first}));
    const auto dest = serve_at(family.first);
    await_governed(named, dest, "db");
    open_connections(link_here().client, dest, 2);
    named.etc.hosts("");
    await_lookups(named, 3, failure);
    check_refused(named.scene, dest, "one over the limit, with the name gone");
    const std::string warning =
        "policy.toml:7: key service.to: \"db.test:8001\" of \"db\" does not resolve: ";
    check_equal(logged(named, warning), 1U, "warnings after three failures");
    check(logged(named, fmt::format("its last addresses stay governed ({})", family.first)) == 1,
          "the warning says what stays");
    named.etc.hosts(hosts_of("db.test", {family.first}));
    await_lookups(named, 2, "looked up name=db.test addresses=1");
    check_equal(logged(named, "\"db.test:8001\" of \"db\" resolves again"), 1U, "lines of relief");
    check_equal(logged(named, warning), 1U, "warnings in all");
    check_exact(named.scene, dest, 2);
}

struct Restart {
    const char* name;
    void (*end)(Ballastd&);
};

constexpr Restart restarts[] = {
    {"SIGTERM", [](Ballastd& ballastd) { ballastd.stop(); }},
    {"kill -9", [](Ballastd& ballastd) { ballastd.crash(); }},
    {"unload", [](Ballastd& ballastd) { ballastd.json({"unload"}); }},
};

/// After "unload" nothing is pinned: only the store knows.
void keeps_governing_after(const Restart& how) {
    auto& named =
        start(quick + to("\"db.test:8001\"", 2), hosts_of("db.test", {"10.77.0.2", "fd77::2"}));
    std::vector<Dest> dests;
    for (const Both& family : both) {
        dests.push_back(serve_at(family.first));
        await_governed(named, dests.back(), "db");
        open_connections(link_here().client, dests.back(), 2);
    }
    named.etc.hosts("");
    how.end(named.scene.ballastd);
    named.scene.ballastd.start();
    for (const Dest& dest : dests)
        check_refused(named.scene, dest, "one over the limit, right after the start");
    await_lookups(named, 2, failure);
    for (const Dest& dest : dests) {
        check_refused(named.scene, dest, "one over the limit, with the name failing");
        check_exact(named.scene, dest, 2);
    }
}

void unknown_at_the_start() {
    auto& named = start(quick + to("\"db.test:8001\",\n\"10.77.0.3:8001\"", 1), "");
    const auto literal = serve_at("10.77.0.3");
    const auto dest = serve_at("10.77.0.2");
    open_connections(link_here().client, literal, 1);
    check_refused(named.scene, literal, "one over the limit of the other target");
    await([&] { return logged(named, "policy.toml:7: key service.to: \"db.test:8001\"") == 1; },
          "a warning with its place");
    check_equal(logged(named, "no address of it is governed"), 1U, "what the warning says");
    open_connections(link_here().client, dest, 2);
    named.etc.hosts(hosts_of("db.test", {"10.77.0.2"}));
    await_governed(named, dest, "db");
    check_refused(named.scene, dest, "two are open where one may be");
    check_exact(named.scene, dest, 2);
}

void names_of_one_address() {
    auto& named = start(quick + to("\"a.test:8001\"", 1, "a") + to("\"b.test:8001\"", 5, "b"),
                        "10.77.0.2 a.test\n10.77.0.2 b.test\n10.77.0.3 b.test\n");
    const auto dest = serve_at("10.77.0.2");
    await_governed(named, {"10.77.0.3", port}, "b");
    await_governed(named, dest, "a");
    open_connections(link_here().client, dest, 1);
    check_refused(named.scene, dest, "one over the limit of the first service");
    await_lookups(named, 2, "looked up name=b.test addresses=2");
    check_equal(logged(named, "policy.toml:13: key service.to: \"b.test:8001\" of \"b\" does not "
                              "govern 10.77.0.2: \"a\" has it"),
                1U, "warnings of the collision");
    named.etc.hosts("10.77.0.3 a.test\n10.77.0.2 b.test\n");
    await_governed(named, dest, "b");
    await_governed(named, {"10.77.0.3", port}, "a");
}

/// Neither the loop nor the end waits for a lookup.
void a_lookup_that_hangs() {
    auto& named = start(quick + to("\"db.test:8001\"", 1), hosts_of("db.test", {"10.77.0.2"}));
    auto& ballastd = named.scene.ballastd;
    const auto dest = serve_at("10.77.0.2");
    await_governed(named, dest, "db");
    open_connections(link_here().client, dest, 1);
    const Fd hanging = named.etc.hang();
    check_refused(named.scene, dest, "one over the limit while a lookup hangs");
    check_exact(named.scene, dest, 1);
    ballastd.enforce(quick + to("\"db.test:8001\", \"10.77.0.3:8001\"", 2));
    check_equal(governing(ballastd, {"10.77.0.3", port}), "db", "who governs a new target");
    ballastd.stop();
}

std::size_t threads(Ballastd& ballastd) {
    const auto pid = ballastd.status().at("pid").get<long>();
    const fs::directory_iterator tasks(fmt::format("/proc/{}/task", pid));
    return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

void no_thread_without_names() {
    auto& named = start(quick + to("\"10.77.0.2:8001\"", 1), hosts_of("db.test", {"10.77.0.3"}));
    auto& ballastd = named.scene.ballastd;
    check_equal(threads(ballastd), 3U, "threads without names");
    ballastd.enforce(quick + to("\"db.test:8001\"", 1));
    check_equal(threads(ballastd), 4U, "threads with a name");
    await_governed(named, {"10.77.0.3", port}, "db");
    ballastd.enforce(quick + to("\"10.77.0.2:8001\"", 1));
    await_equal([&] { return threads(ballastd); }, 3U, "threads, the name being gone");
    check_equal(governing(ballastd, {"10.77.0.3", port}), "", "who governs what the name had");
}

Outcome check_of(const Named& named, const std::string& policy_text) {
    const auto file = make_temp_dir() + "/policy.toml";
    write_file(file, policy_text);
    return run({.argv = {staged_binary("ballastd"), "--check", "--config", file},
                .mount_namespace = named.etc.mounts()});
}

void check_warns() {
    auto& named = start(quick, hosts_of("db.test", {"10.77.0.2"}));
    const auto text = to("\"db.test:8001\",\n\"no.test\"", 1) + "from = [\"no-such-*.service\"]\n";
    const auto outcome = check_of(named, text);
    check_equal(outcome.status, 0, "exit status of --check: " + outcome.err);
    check_equal(count(outcome.err, "policy.toml:"), 2U, "warnings: " + outcome.err);
    check_equal(count(outcome.err, "policy.toml:5: key service.to: \"no.test\" does not resolve"),
                1U, "the name: " + outcome.err);
    check_equal(count(outcome.err, "policy.toml:8: key service.from: \"no-such-*.service\" matches "
                                   "no cgroup at present"),
                1U, "from: " + outcome.err);
}

void loading_warns_of_from() {
    auto& named = start(quick, "");
    named.scene.ballastd.enforce(quick + to("\"10.77.0.2\"", 1) +
                                 "from = [\"no-such-*.service\"]\n");
    check_equal(logged(named, "policy.toml:10: key service.from: \"no-such-*.service\" matches no "
                              "cgroup at present; it will hold for those that appear later"),
                1U, "warnings in the log");
}

} // namespace

TEST_GROUP(names) {
    return Suite()
        .each(both, "the addresses of a name are limited", limits_the_addresses)
        .each(both, "a changed address is followed", follows_a_change)
        .add("no change, nothing written", writes_nothing_without_a_change)
        .each(both, "the last answer stays when a name fails", keeps_the_last_answer)
        .each(restarts, "a restart with the name failing, after", keeps_governing_after)
        .add("a name unknown at the start", unknown_at_the_start)
        .add("two names of one address", names_of_one_address)
        .add("a lookup that hangs holds nothing up", a_lookup_that_hangs)
        .add("no thread without names", no_thread_without_names)
        .add("--check warns of names and from", check_warns)
        .add("loading warns of from", loading_warns_of_from)
        .run_at_once("names", 4);
}

} // namespace test_names

// SPDX-License-Identifier: Apache-2.0
// Promise: SIGHUP or a changed file puts a new policy in force for the connections that are there;
// a bad file is refused with its place, and the running policy stays.
#include "tests/e2e/scene.h"

#include <filesystem>

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr std::uint16_t port = 5432;

struct Served {
    Scene& scene;
    Dest dest;
};

Served serve(const Family& family, unsigned limit) {
    auto& scene = make_scene(limit_policy(limit));
    auto& server = make<Listener>(scene.link.server, Dest{family.server, port});
    return {scene, server.dest()};
}

void refuses_next(const Served& served, Where where = Where::current()) {
    check_errno(attempt(served.scene.link.client, served.dest).error, ECONNREFUSED,
                "one over the limit", where);
}

void changed_file(const Family& family) {
    const auto served = serve(family, 2);
    open_connections(served.scene.link.client, served.dest, 2);
    refuses_next(served);
    const long before = served.scene.ballastd.generation();
    served.scene.ballastd.write_policy(limit_policy(4));
    served.scene.ballastd.await_policy(before);
    open_connections(served.scene.link.client, served.dest, 2);
    refuses_next(served);
    check_exact(served.scene, served.dest, 4);
    check_no_repairs(served.scene.ballastd);
}

/// The file is a link into a directory that nobody watches, so only the signal can tell.
void hangup(const Family& family) {
    const auto link = make_link();
    auto& ballastd = make<Ballastd>("");
    const auto elsewhere = make_temp_dir() + "/real.toml";
    std::filesystem::remove(ballastd.policy_file());
    std::filesystem::create_symlink(elsewhere, ballastd.policy_file());
    write_file(elsewhere, limit_policy(1));
    ballastd.start();
    auto& server = make<Listener>(link.server, Dest{family.server, port});
    open_connections(link.client, server.dest(), 1);
    check_errno(attempt(link.client, server.dest()).error, ECONNREFUSED, "the second");
    const long before = ballastd.generation();
    write_file(elsewhere, limit_policy(2));
    ballastd.hangup();
    ballastd.await_policy(before);
    open_connections(link.client, server.dest(), 1);
    check_errno(attempt(link.client, server.dest()).error, ECONNREFUSED, "the third");
}

void lowered_below_what_is_open(const Family& family) {
    const auto served = serve(family, 3);
    auto& open = open_connections(served.scene.link.client, served.dest, 3);
    const long before = served.scene.ballastd.generation();
    served.scene.ballastd.write_policy(limit_policy(1));
    served.scene.ballastd.await_policy(before);
    check_exact(served.scene, served.dest, 3);
    while (!open.empty()) {
        refuses_next(served);
        open.pop_back();
        await_in_use(served.scene.ballastd, served.dest, static_cast<long>(open.size()));
    }
    open_connections(served.scene.link.client, served.dest, 1);
    refuses_next(served);
}

/// The count moves with the connections to the service that governs them now.
void renamed_service(const Family& family) {
    const auto served = serve(family, 2);
    auto& open = open_connections(served.scene.link.client, served.dest, 2);
    const long before = served.scene.ballastd.generation();
    served.scene.ballastd.write_policy(policy({{.limit = 3, .name = "renamed"}}));
    served.scene.ballastd.await_policy(before);
    check_exact(served.scene, served.dest, 2);
    check_equal(served.scene.ballastd.row(served.dest, "renamed").at("in_use").get<long>(), 2,
                "in_use of the renamed service");
    open_connections(served.scene.link.client, served.dest, 1);
    refuses_next(served);
    open.clear();
    check_exact(served.scene, served.dest, 1);
}

void to_observe_and_back(const Family& family) {
    const auto served = serve(family, 1);
    open_connections(served.scene.link.client, served.dest, 1);
    refuses_next(served);
    long before = served.scene.ballastd.generation();
    served.scene.ballastd.write_policy(limit_policy(1, "observe"));
    served.scene.ballastd.await_policy(before);
    open_connections(served.scene.link.client, served.dest, 1);
    before = served.scene.ballastd.generation();
    served.scene.ballastd.write_policy(limit_policy(1));
    served.scene.ballastd.await_policy(before);
    refuses_next(served);
    check_exact(served.scene, served.dest, 2);
}

/// A connection made while nothing governed its destination is adopted when something does.
void newly_governed(const Family& family) {
    auto& scene = make_scene(policy({{.to = {"192.0.2.1:1"}, .limit = 1}}));
    auto& server = make<Listener>(scene.link.server, Dest{family.server, port});
    auto& open = open_connections(scene.link.client, server.dest(), 2);
    const long before = scene.ballastd.generation();
    scene.ballastd.write_policy(limit_policy(2));
    scene.ballastd.await_policy(before);
    refuses_next({scene, server.dest()});
    check_exact(scene, server.dest(), 2);
    open.pop_back();
    check_exact(scene, server.dest(), 1);
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

void bad_file_is_refused(const BadFile& bad) {
    const auto served = serve(families.front(), 1);
    open_connections(served.scene.link.client, served.dest, 1);
    served.scene.ballastd.write_policy(bad.text);
    const auto error = [&] {
        const auto text = served.scene.ballastd.policy().at("error");
        return text.is_null() ? std::string() : text.get<std::string>();
    };
    await([&] { return !error().empty(); }, "the refusal of the bad file");
    check(error().find(bad.place) != std::string::npos, bad.place + (" is in: " + error()));
    check(error().find(bad.key) != std::string::npos, bad.key + (" is in: " + error()));
    check(served.scene.ballastd.log().find(bad.place) != std::string::npos, "it is logged");
    refuses_next(served);
    const long before = served.scene.ballastd.generation();
    served.scene.ballastd.write_policy(limit_policy(2));
    served.scene.ballastd.await_policy(before);
    check_equal(error(), "", "the refusal, once the file is good");
    open_connections(served.scene.link.client, served.dest, 1);
}

/// A restart must not be worse than no restart.
void bad_file_at_restart(const Family& family) {
    const auto served = serve(family, 1);
    open_connections(served.scene.link.client, served.dest, 1);
    served.scene.ballastd.crash();
    served.scene.ballastd.write_policy(bad_files[0].text);
    served.scene.ballastd.start();
    refuses_next(served);
    check_exact(served.scene, served.dest, 1);
    check(!served.scene.ballastd.policy().at("error").is_null(), "the refusal is shown");
}

void bad_file_at_first_start() {
    auto& ballastd = make<Ballastd>(bad_files[0].text);
    check(ballastd.start_to_fail() != 0, "a first start with a bad file fails");
    check(ballastd.log().find(bad_files[0].place) != std::string::npos, "it says where");
    check(!std::filesystem::exists(ballastd.bpffs()), "nothing was left pinned");
}

void drop_ins(const Family& family) {
    const auto served = serve(family, 1);
    const Dest other{family.server, 6000};
    make<Listener>(served.scene.link.server, other);
    open_connections(served.scene.link.client, other, 1);
    refuses_next({served.scene, other});
    long before = served.scene.ballastd.generation();
    served.scene.ballastd.write_dropin("10-other.toml",
                                       fmt::format("[[service]]\nname = \"other\"\nto = [\"{}\"]\n"
                                                   "max_connections = 2\nmode = \"enforce\"\n",
                                                   other.text()));
    served.scene.ballastd.await_policy(before);
    open_connections(served.scene.link.client, other, 1);
    refuses_next({served.scene, other});
    before = served.scene.ballastd.generation();
    served.scene.ballastd.remove_dropin("10-other.toml");
    served.scene.ballastd.await_policy(before);
    refuses_next({served.scene, other});
    check_exact(served.scene, other, 2);
}

} // namespace

int main() {
    return Suite()
        .each(families, "a changed file is in force for live counts", changed_file)
        .each(families, "SIGHUP alone is enough", hangup)
        .each(families, "a limit below what is open", lowered_below_what_is_open)
        .each(families, "a renamed service keeps its counts", renamed_service)
        .each(families, "to observe and back", to_observe_and_back)
        .each(families, "what is newly governed is adopted", newly_governed)
        .each(bad_files, "a bad file is refused, the policy stays", bad_file_is_refused)
        .each(families, "a bad file at a restart", bad_file_at_restart)
        .add("a bad file at the first start", bad_file_at_first_start)
        .each(families, "drop-ins come and go", drop_ins)
        .run("reload");
}

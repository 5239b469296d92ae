// SPDX-License-Identifier: Apache-2.0
// Promise: however many network namespaces a host has, each is checked, with few files open; and
// where sweeps visit only some of them, every count is as right as where they visit all.
#include "tests/e2e/kept_alive.h"
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>

#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

namespace test_many_namespaces {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr int spaces = 60;
/// Namespaces, with which there are more than all that a sweep visits within its budget: a machine
/// may be so quick that ten fit in. Virtual machines are slow to make them.
const int some = std::getenv("BALLAST_VM") == nullptr ? 24 : 6;
constexpr int each = 2; ///< connections in a namespace
const std::string governs_nothing = policy({{.to = {"192.0.2.1"}}});

std::size_t open_files(pid_t pid) {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid)), {}));
}

/// Room for a third of them.
void more_than_files_may_be_open(const Family& family) {
    auto& scene = make_scene(limit_policy(5));
    const auto dest = serve(scene, family).dest();
    open_connections(scene.link.client, dest, 2);
    for (int i = 0; i < spaces; ++i)
        make<Netns>();
    const auto pid = scene.ballastd.status().at("pid").get<pid_t>();
    const rlimit limit{open_files(pid) + spaces / 3, open_files(pid) + spaces / 3};
    need(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) == 0, "prlimit");
    scene.ballastd.sweep();
    const Json sweep = scene.ballastd.status().at("sweep");
    check(sweep.at("namespaces").get<int>() >= spaces, "each was looked at: " + sweep.dump());
    check(sweep.at("namespaces_visited").get<int>() >= spaces, "and visited: " + sweep.dump());
    check_equal(sweep.at("namespaces_missed").get<int>(), 0, "namespaces that were missed");
    check_exact(scene, dest, 2);
}

/// The namespaces of a scene and `some` more, all made before any socket: who keeps one alive is a
/// fork, with every file that was open.
Scene& crowded_scene(const std::string& policy_text) {
    for (int i = 0; i < some; ++i)
        make<Netns>();
    return make_scene(policy_text);
}

Json sweep_of(Ballastd& ballastd) {
    return ballastd.status().at("sweep");
}

/// That a sweep visited some namespaces only, which takes that visits cost something: in virtual
/// machines, whose hash tables are small, all may fit in.
void check_paced(const Json& sweep, Where where) {
    if (std::getenv("BALLAST_VM") == nullptr)
        check(sweep.at("namespaces_visited").get<int>() < some, "few are visited: " + sweep.dump(),
              where);
}

/// Waits for the daemon's own sweeps, a second apart or more, each of which checks all namespaces
/// and visits some. Reservations that two of them miss are released.
void await_own_sweeps(Ballastd& ballastd, Where where = Where::current()) {
    constexpr long enough = 5;
    const auto sweeps = [&] { return sweep_of(ballastd).at("sweeps").get<long>(); };
    const long wanted = sweeps() + enough;
    check(wait_until([&] { return sweeps() >= wanted; }, patience(std::chrono::minutes(1))),
          "the daemon sweeps by itself", where);
    const auto sweep = sweep_of(ballastd);
    check(sweep.at("namespaces").get<int>() > some, "all are looked at: " + sweep.dump(), where);
    check_paced(sweep, where);
    check(ballastd.log().find("refuses program") == std::string::npos,
          "the kernel has the iterator over files", where);
    check_equal(sweep.at("failures").get<long>(), 0, "sweeps that failed", where);
}

struct Loopback {
    const char* name;
    Dest dest;
};
const Loopback loopbacks[] = {{"ipv4", {"127.77.0.1", 7001}}, {"ipv6", {"::1", 7001}}};

/// The same destination in each namespace, and what is open to it.
struct Crowd {
    std::vector<Netns*> spaces;
    std::vector<Fd> open;
};

Crowd& make_crowd(const Dest& dest) {
    auto& crowd = make<Crowd>();
    for (int i = 0; i < some; ++i)
        crowd.spaces.push_back(&make<Netns>());
    for (auto* space : crowd.spaces) {
        make<Listener>(*space, dest);
        for (int i = 0; i < each; ++i) {
            crowd.open.push_back(attempt(*space, dest).socket);
            check(static_cast<bool>(crowd.open.back()), "a connection to " + dest.text());
        }
    }
    return crowd;
}

/// One more is admitted, in the last namespace, and then none in any.
void check_limit(Crowd& crowd, const Dest& dest) {
    crowd.open.push_back(attempt(*crowd.spaces.back(), dest).socket);
    check(static_cast<bool>(crowd.open.back()), "one more is admitted");
    for (const auto* space : crowd.spaces)
        check_errno(attempt(*space, dest).error, ECONNREFUSED, "one too many");
}

void older_than_the_load(const Loopback& loopback) {
    const auto& dest = loopback.dest;
    const auto older = static_cast<unsigned>(some * each);
    auto& ballastd = make<Ballastd>(policy({{.to = {dest.text()}, .limit = older + 1}}));
    auto& crowd = make_crowd(dest);
    ballastd.start();
    check_equal(ballastd.in_use(dest), long{older}, "in_use at once");
    check_limit(crowd, dest);
    await_own_sweeps(ballastd);
    check_equal(ballastd.in_use(dest), long{older} + 1, "in_use after sweeps");
    crowd.open.clear();
    await_in_use(ballastd, dest, 0);
    check_no_repairs(ballastd);
}

/// Where no sweep has visited a namespace since the policy came, only tracing programs see its
/// connections end. The kernel skips runs of those on a busy host (bpf/lifecycle.bpf.c): status
/// counts them, and the next sweep fixes the count.
void await_ends(Ballastd& ballastd, const Dest& dest) {
    const auto misses = [&] {
        return ballastd.status().at("hooks").at("recursion_misses").get<long>();
    };
    await([&] { return ballastd.in_use(dest) == 0 || misses() > 0; }, "all are released");
    if (ballastd.in_use(dest) == 0)
        return check_no_repairs(ballastd);
    note(fmt::format("the kernel left {} runs out", misses()));
    ballastd.sweep();
    await_in_use(ballastd, dest, 0);
}

/// They are adopted by the sweep that follows a new policy, which visits few namespaces.
void older_than_the_policy(const Loopback& loopback) {
    const auto& dest = loopback.dest;
    const auto older = static_cast<unsigned>(some * each);
    auto& ballastd = start_ballastd(governs_nothing);
    auto& crowd = make_crowd(dest);
    ballastd.write_policy(policy({{.to = {dest.text()}, .limit = older + 1}}));
    ballastd.reload();
    check_equal(ballastd.in_use(dest), long{older}, "in_use at once");
    check_equal(ballastd.value(dest, "adopted"), long{older}, "adopted");
    ballastd.sweep_paced();
    check_paced(sweep_of(ballastd), Where::current());
    check_limit(crowd, dest);
    crowd.open.clear();
    await_ends(ballastd, dest);
}

/// Rows of `ballast flows` for a destination.
std::size_t shown(Ballastd& ballastd, const Dest& dest) {
    return ballastd.json({"flows", "dest=" + dest.text()}).at("flows").size();
}

void a_forked_socket_counts_once(const Family& family) {
    auto& scene = crowded_scene(governs_nothing);
    const auto dest = serve(scene, family).dest();
    auto& open = open_connections(scene.link.client, dest, 1);
    auto& fork = make<Process>();
    fork.fork([] {
        ::pause();
        return 0;
    });
    scene.ballastd.write_policy(limit_policy(2));
    scene.ballastd.reload();
    check_equal(scene.ballastd.in_use(dest), 1, "in_use");
    check_equal(scene.ballastd.value(dest, "adopted"), 1, "adopted");
    check_equal(shown(scene.ballastd, dest), std::size_t{1}, "shown");
    open.clear();
    scene.ballastd.sweep_paced();
    check_equal(scene.ballastd.in_use(dest), 1, "in_use, open in the fork alone");
    fork.kill();
    await_in_use(scene.ballastd, dest, 0);
    check_no_repairs(scene.ballastd);
}

/// No process has it open any longer, and its data is not acknowledged.
void an_orphan_keeps_its_place(const Family& family) {
    auto& scene = crowded_scene(limit_policy(1));
    const auto dest = serve(scene, family).dest();
    auto& open = open_connections(scene.link.client, dest, 1);
    silence(scene.link.client, family);
    scene.link.client.sysctl("net.ipv4.tcp_orphan_retries", 15); // or it ends before slow sweeps do
    need(::send(open.front().get(), "lost", 4, 0) == 4, "send");
    open.clear();
    await_equal([&] { return ss_count(scene.link.client.fd(), dest, "FIN-WAIT-1"); }, 1U,
                "orphans");
    await_own_sweeps(scene.ballastd);
    check_equal(scene.ballastd.in_use(dest), 1, "in_use after sweeps");
    check_refused(scene, dest, "while the orphan is there");
    end_silence(scene.link.client, family);
    await_in_use(scene.ballastd, dest, 0);
    check_no_repairs(scene.ballastd);
}

std::uint64_t cookie_of(const Fd& socket) {
    std::uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    need(::getsockopt(socket.get(), SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0, "SO_COOKIE");
    return cookie;
}

/// Bytes of a number, the lowest first, as bpftool takes them.
std::vector<std::string> bytes_of(std::uint64_t number, int count) {
    std::vector<std::string> bytes;
    for (int i = 0; i < count; ++i)
        bytes.push_back(fmt::format("{}", number >> (8 * i) & 0xff));
    return bytes;
}

/// Gives a connection's reservation to a socket that never was, as if its end had gone unseen.
void leak(Ballastd& ballastd, const Fd& socket) {
    constexpr std::uint64_t buckets = 32768; // bpf/abi.h: where it sits, by its cookie's low bits
    const auto cookie = cookie_of(socket);
    const auto key = bytes_of(cookie % buckets, 4);
    std::vector<std::string> words = {
        "bpftool", "--json", "map", "lookup", "pinned", ballastd.bpffs() + "/reservations", "key"};
    words.insert(words.end(), key.begin(), key.end());
    auto bucket = Json::parse(run_ok({.argv = words})).at("value").get<std::vector<std::string>>();
    std::vector<std::string> value;
    for (const auto& byte : bucket)
        value.push_back(fmt::format("{}", std::stoul(byte, nullptr, 0)));
    const auto own = bytes_of(cookie, 8);
    const auto found = std::search(value.begin(), value.end(), own.begin(), own.end());
    check(found != value.end(), "the connection's reservation is in its first bucket");
    std::ranges::copy(bytes_of(cookie + buckets, 8), found);
    words[1] = "map";
    words[2] = "update";
    words.erase(words.begin() + 3);
    words.emplace_back("value");
    words.insert(words.end(), value.begin(), value.end());
    run_ok({.argv = words});
}

void a_leaked_reservation_is_released(const Family& family) {
    auto& scene = crowded_scene(limit_policy(2));
    const auto dest = serve(scene, family).dest();
    auto& open = open_connections(scene.link.client, dest, 1);
    leak(scene.ballastd, open.front());
    scene.ballastd.sweep_paced();
    check_equal(scene.ballastd.in_use(dest), 2, "in_use: the socket got another");
    await_own_sweeps(scene.ballastd);
    check_equal(scene.ballastd.in_use(dest), 1, "in_use after sweeps");
    check_equal(sweep_of(scene.ballastd).at("repairs").get<long>(), 1, "repairs");
    check_equal(sweep_of(scene.ballastd).at("drift").get<long>(), 0, "drift that is left");
    open.clear();
    await_in_use(scene.ballastd, dest, 0);
}

/// Only a visit can set it.
void keepalive_is_set_in_all(const Loopback& loopback) {
    auto& ballastd = start_ballastd(keepalive_policy("mode = \"observe\""));
    auto& crowd = make_crowd(loopback.dest);
    const auto before = keepalive_of(crowd.open.front());
    ballastd.write_policy(keepalive_policy("mode = \"enforce\"", "40s"));
    ballastd.reload();
    const auto set = [&] {
        return std::ranges::count_if(crowd.open,
                                     [](const Fd& fd) { return keepalive_of(fd).on == 1; });
    };
    await_equal(set, std::ptrdiff_t{some} * each, "sockets with keepalive");
    for (const auto& socket : crowd.open)
        check_ballasts(keepalive_of(socket), 40, "set");
    const auto kept = [&] { return ballastd.status().at("keepalive").at("kept_alive").get<int>(); };
    await_equal(kept, some * each, "kept alive, by the last sweep");
    ballastd.write_policy(keepalive_policy("mode = \"observe\""));
    ballastd.reload();
    await_equal(set, std::ptrdiff_t{0}, "sockets with keepalive, in observe");
    for (const auto& socket : crowd.open)
        check_same(keepalive_of(socket), before, "given back");
    check_equal(ballastd.status().at("keepalive_losses").at("keepalives_failed").get<int>(), 0,
                "failures");
}

/// The iterator over files meets none.
void time_wait_is_counted(const Family& family) {
    auto& scene = crowded_scene(limit_policy(5));
    auto& listener = serve(scene, family);
    auto& open = open_connections(scene.link.client, listener.dest(), 3);
    auto& accepted = make<std::vector<Fd>>();
    for (std::size_t i = 0; i < 3; ++i)
        accepted.push_back(listener.accept());
    open.clear();
    accepted.clear();
    await_equal([&] { return ss_count(scene.link.client.fd(), listener.dest(), "TIME-WAIT"); }, 3U,
                "TIME-WAIT");
    Json sweep;
    await(
        [&] { // by the sweep whose turn it is, among all namespaces with a reason
            scene.ballastd.sweep_paced();
            sweep = sweep_of(scene.ballastd);
            return sweep.at("time_wait").get<int>() >= 3;
        },
        "what is in TIME_WAIT");
    check_paced(sweep, Where::current());
}

} // namespace

TEST_GROUP(many_namespaces) {
    return Suite()
        .host_each(families, "more than files may be open", more_than_files_may_be_open)
        .each(loopbacks, "connections older than the load", older_than_the_load)
        .host_each(loopbacks, "connections older than the policy", older_than_the_policy)
        .each(families, "a forked socket counts once", a_forked_socket_counts_once)
        .each(families, "an orphan keeps its place", an_orphan_keeps_its_place)
        .host_each(families, "a leaked reservation is released", a_leaked_reservation_is_released)
        .host_each(loopbacks, "keepalive is set in all of them", keepalive_is_set_in_all)
        .host_each(families, "TIME_WAIT is counted", time_wait_is_counted)
        .run_at_once("many_namespaces", 4);
}

} // namespace test_many_namespaces

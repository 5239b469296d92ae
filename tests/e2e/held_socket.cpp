// SPDX-License-Identifier: Apache-2.0
// Promise: a process that holds a socket's lock, or a file system that stands still, for any length
// of time, blocks nothing else: limits stay in force, the policy can be changed where it need not
// be written, and the screens say what waits and why.
#include "tests/e2e/scene.h"
#include "tests/harness/frozen.h"
#include "tests/harness/group.h"
#include "tests/harness/http.h"
#include "tests/harness/wait.h"

#include <fcntl.h>
#include <sys/mman.h>

namespace test_held_socket {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr auto rules = "sweep_interval = \"1s\"\ndaemon_grace = \"3s\"";

/// Reads what has come into the first page of the file: the kernel copies it with the socket
/// locked.
int receive_into(const Fd& socket, const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    void* const page = ::mmap(nullptr, 1, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    return page != MAP_FAILED && ::recv(socket.get(), page, 1, 0) == 1 ? 0 : 1;
}

/// Made after the program and so ended before it: who waits for the disk cannot be killed.
struct Thawed {
    explicit Thawed(FreezableDisk& which) : disk(which) {}
    ~Thawed() { disk.thaw_if_frozen(); }
    Thawed(const Thawed&) = delete;
    Thawed& operator=(const Thawed&) = delete;
    FreezableDisk& disk;
};

/// A connection whose lock is held by a program that waits for a frozen file system.
struct Held {
    FreezableDisk& disk;
    Process& program;
};

Held hold(const Scene& scene, const Dest& dest, Listener& listener) {
    auto& disk = make<FreezableDisk>();
    const auto path = disk.make_file("buffer");
    const Fd& socket = open_connections(scene.link.client, dest, 1).front();
    const Fd served = listener.accept();
    need(::send(served.get(), "x", 1, 0) == 1, "send");
    disk.freeze();
    auto& program = make<Process>();
    program.fork([&] { return receive_into(socket, path); });
    make<Thawed>(disk);
    await(
        [&] {
            const auto stat = read_file(fmt::format("/proc/{}/stat", program.pid()));
            return stat.find(") D ") != std::string::npos;
        },
        "the program to wait for the disk");
    return {disk, program};
}

Json sweep_of(const Scene& scene) {
    return scene.ballastd.status().at("sweep");
}

void await_held(const Scene& scene) {
    await([&] { return sweep_of(scene).value("held_ms", 0L) != 0; },
          "the sweep to be said to be held");
    await([&] { return scene.ballastd.log().find("detection are held") != std::string::npos; },
          "the log to say so");
}

void nothing_else_is_held(const Family& family) {
    auto& scene = make_scene(policy({{.limit = 2, .on_limit = "unreachable"}}, rules));
    auto& listener = serve(scene, family);
    const auto dest = listener.dest();
    const auto held = hold(scene, dest, listener);
    await_held(scene);
    const auto shown = scene.ballastd.cli({"status"}).out;
    check(shown.find("BAD") != std::string::npos && shown.find("held for") != std::string::npos,
          "status says so: " + shown);
    check_equal(sweep_of(scene).at("held_in").get<unsigned>(), scene.link.client.inode(),
                "the network namespace it is held in");

    // Longer than daemon_grace already: with the heartbeat gone this one would be let through.
    open_connections(scene.link.client, dest, 1);
    check_errno(attempt(scene.link.client, dest).error, EHOSTUNREACH, "the limit holds");
    scene.ballastd.json({"limit", "set", "test", "--max", "3"});
    open_connections(scene.link.client, dest, 1);
    check_errno(attempt(scene.link.client, dest).error, EHOSTUNREACH, "the new limit holds");
    check_equal(scene.ballastd.in_use(dest), 3L, "the count");
    check_equal(fail_open(scene.ballastd, "daemon_silent"), 0L, "connects let through");

    held.disk.thaw();
    check(held.program.wait() == 0, "the program gets its byte");
    await([&] { return sweep_of(scene).value("held_ms", 0L) == 0; }, "sweeps to go on");
    check_exact(scene, dest, 3);
    await(
        [&] {
            return scene.ballastd.log().find("sweeps and half-open detection go on") !=
                   std::string::npos;
        },
        "the log to say so");
}

/// The caller that asks for a sweep waits for it, until it is known to be held; no other waits.
void who_asks_for_a_sweep_is_told() {
    const Family& family = families.front();
    auto& scene = make_scene(policy({{.limit = 2}}, rules));
    auto& listener = serve(scene, family);
    const auto held = hold(scene, listener.dest(), listener);
    const auto socket = scene.ballastd.runtime_dir() + "/control.sock";
    auto& asker = make<Process>();
    asker.fork([&] { return http_request(socket, "POST", "/v1/sweep").status == 503 ? 0 : 1; });
    await_held(scene); // by an answer to another question
    check(asker.wait() == 0, "the sweep that was asked for is said to be held");
    held.disk.thaw();
    await([&] { return sweep_of(scene).value("held_ms", 0L) == 0; }, "sweeps to go on");
    scene.ballastd.sweep();
}

long overrides(Ballastd& ballastd) {
    return ballastd.json({"limit", "list"}).at("overrides_total").get<long>();
}

/// As an agent that takes a snapshot of a virtual machine leaves it for a while.
void a_frozen_state_directory_holds_nobody() {
    auto& scene = make_scene(policy({{.limit = 2, .on_limit = "unreachable"}}, rules));
    Ballastd& ballastd = scene.ballastd;
    ballastd.stop();
    auto& disk = make<FreezableDisk>(ballastd.state_dir());
    ballastd.start();
    auto& listener = serve(scene, families.front());
    const auto dest = listener.dest();
    open_connections(scene.link.client, dest, 2);
    disk.freeze();

    const auto set = ballastd.cli({"limit", "set", "test", "--max", "3"});
    check(set.status != 0 && set.err.find("could not be written") != std::string::npos,
          "the limit is not set, and why: " + set.err);
    const auto up = [&] { return ballastd.status().at("uptime_ms").get<long>(); };
    const long begin = up();
    await([&] { return up() > begin + 4000; }, "longer than daemon_grace");
    check_errno(attempt(scene.link.client, dest).error, EHOSTUNREACH, "the limit holds");
    check_equal(fail_open(ballastd, "daemon_silent"), 0L, "connects let through");
    check_equal(sweep_of(scene).value("held_ms", 0L), 0L, "how long a sweep is held");

    disk.thaw();
    check_equal(overrides(ballastd), 0L, "overrides");
    ballastd.stop();
    ballastd.start();
    check_equal(overrides(ballastd), 0L, "overrides in the file, written late and taken back");
    ballastd.json({"limit", "set", "test", "--max", "3"});
    ballastd.crash();
    ballastd.start();
    check_equal(overrides(ballastd), 1L, "overrides that were set");
    open_connections(scene.link.client, dest, 1);
    check_errno(attempt(scene.link.client, dest).error, EHOSTUNREACH, "the new limit holds");
    ballastd.stop(); // or the disk could not be unmounted
}

} // namespace

TEST_GROUP(held_socket) {
    return Suite()
        .each(families, "nothing else is held", nothing_else_is_held)
        .add("who asks for a sweep is told", who_asks_for_a_sweep_is_told)
        .add("a frozen state directory holds nobody", a_frozen_state_directory_holds_nobody)
        .run("held_socket");
}

} // namespace test_held_socket

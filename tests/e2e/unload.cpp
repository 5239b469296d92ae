// SPDX-License-Identifier: Apache-2.0
// Promise: pins outlive the daemon, and `ballast unload` leaves nothing behind: no program, map,
// link, attachment, filter, pin or mount, with the daemon alive or dead.
#include "tests/e2e/kernel_objects.h"
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>

namespace test_unload {

using namespace ballast;
using namespace ballast::test;

namespace {

/// How the daemon ends before `ballast unload`.
struct End {
    const char* name;
    void (*end)(Ballastd& ballastd);
};

constexpr End ends[] = {
    {"alive", [](Ballastd& /*ballastd*/) {}},
    {"stopped", [](Ballastd& ballastd) { ballastd.stop(); }},
    {"killed", [](Ballastd& ballastd) { ballastd.crash(); }},
};

bool has(const Json& probes, const std::string& feature) {
    return std::any_of(probes.begin(), probes.end(), [&](const Json& probe) {
        return probe.at("feature") == feature && probe.at("answer") == "yes";
    });
}

/// Where the kernel can do without, the tracing programs are there only at first (bpf/watch.h).
void await_untraced(Ballastd& ballastd) {
    const auto checked = ballastd.json({"check"});
    if (has(checked.at("probes"), "older sockets watched by sockops"))
        await(
            [&] {
                return !std::filesystem::exists(ballastd.bpffs() + "/link_set_state") &&
                       !std::filesystem::exists(ballastd.bpffs() + "/link_destroy");
            },
            "the end of tracing");
}

void leaves_nothing(const End& how) {
    const auto link = make_link();
    const auto before = kernel_objects();
    auto& ballastd = start_ballastd(limit_policy(2));
    auto& server = make<Listener>(link.server, Dest{"fd77::2", 5432});
    auto& open = open_connections(link.client, server.dest(), 2);
    await_untraced(ballastd);
    const auto own = objects_of(ballastd);
    check(own.size() > 10, "ballastd has pinned programs and maps");
    how.end(ballastd);
    check(objects_of(ballastd) == own, "its objects are there until unload");
    check_errno(attempt(link.client, server.dest()).error, ECONNREFUSED, "until unload");
    ballastd.json({"unload"});
    if (ballastd.running())
        check_equal(ballastd.wait_exit(), 0, "exit status of the unloaded daemon");
    check(!std::filesystem::exists(ballastd.bpffs()), "the directory of pins is gone");
    await_gone(own);
    await_no_more_than(before);
    open.push_back(attempt(link.client, server.dest()).socket);
    check(static_cast<bool>(open.back()), "nothing refuses any more");
}

void twice() {
    auto& ballastd = start_ballastd(limit_policy(1));
    ballastd.json({"unload"});
    check_equal(ballastd.wait_exit(), 0, "exit status of the unloaded daemon");
    const auto again = ballastd.json({"unload"});
    check(again.at("removed").empty(), "nothing was left for the second: " + again.dump());
}

void starts_anew_afterwards(const Family& family) {
    auto& scene = make_scene(limit_policy(2));
    auto& server = make<Listener>(scene.link.server, Dest{family.server, 5432});
    open_connections(scene.link.client, server.dest(), 2);
    scene.ballastd.json({"unload"});
    check_equal(scene.ballastd.wait_exit(), 0, "exit status of the unloaded daemon");
    scene.ballastd.start();
    check(!scene.ballastd.status().at("adopted_pins").get<bool>(), "nothing to take over");
    check_equal(scene.ballastd.value(server.dest(), "adopted"), 2, "adopted");
    check_errno(attempt(scene.link.client, server.dest()).error, ECONNREFUSED, "the third");
}

/// A daemon killed while it loads leaves half of its pins; neither may be in the way of the next.
void half_loaded() {
    auto& ballastd = start_ballastd(limit_policy(1));
    ballastd.crash();
    std::filesystem::remove(ballastd.bpffs() + "/link_connect6");
    std::filesystem::remove(ballastd.bpffs() + "/reservations");
    ballastd.start();
    check(!ballastd.status().at("adopted_pins").get<bool>(), "half a load is not taken over");
    const auto own = objects_of(ballastd);
    ballastd.crash();
    std::filesystem::remove(ballastd.bpffs() + "/link_connect4");
    ballastd.json({"unload"});
    await_gone(own);
}

bool is_bpffs(const std::string& path) {
    struct statfs info {};
    return ::statfs(path.c_str(), &info) == 0 &&
           static_cast<unsigned long>(info.f_type) == BPF_FS_MAGIC;
}

/// A mount namespace in which nothing is mounted at /sys/fs/bpf, kept by a process.
Process& without_bpffs() {
    auto& keeper = make<Process>();
    auto& ready = make<Fd>(::open(make_temp_dir().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    keeper.fork([&ready]() -> int {
        need(::unshare(CLONE_NEWNS) == 0, "unshare(CLONE_NEWNS)");
        need(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "MS_PRIVATE");
        while (is_bpffs("/sys/fs/bpf"))
            need(::umount2("/sys/fs/bpf", MNT_DETACH) == 0, "umount of /sys/fs/bpf");
        need(::write(ready.get(), "x", 1) == 1, "write");
        return ::pause();
    });
    await(
        [&] {
            char byte = 0;
            check(keeper.running(), "the keeper of the namespace lives");
            return ::pread(ready.get(), &byte, 1, 0) == 1;
        },
        "a mount namespace without bpffs");
    return keeper;
}

bool bpffs_in(const Process& keeper) {
    return is_bpffs(fmt::format("/proc/{}/root/sys/fs/bpf", keeper.pid()));
}

void mounts_and_unmounts(const End& how) {
    auto& keeper = without_bpffs();
    auto& mounts = make<Fd>(
        ::open(fmt::format("/proc/{}/ns/mnt", keeper.pid()).c_str(), O_RDONLY | O_CLOEXEC));
    auto& ballastd =
        make<Ballastd>(limit_policy(1), BallastdOptions{.bpffs = "/sys/fs/bpf/" + unique_name(),
                                                        .mount_namespace = mounts.get()});
    ballastd.start();
    check(bpffs_in(keeper), "ballastd mounted a bpffs where there was none");
    how.end(ballastd);
    check(bpffs_in(keeper), "it stays as long as the pins");
    ballastd.json({"unload"});
    check(!bpffs_in(keeper), "unload unmounted it");
}

} // namespace

TEST_GROUP(unload) {
    return Suite()
        .each(ends, "leaves nothing behind, daemon", leaves_nothing)
        .host_add("twice", twice)
        .each(families, "a start afterwards is a first start", starts_anew_afterwards)
        .add("half a load is neither taken over nor in the way", half_loaded)
        .host_each(ends, "undoes the mount of the bpffs, daemon", mounts_and_unmounts)
        .run("unload");
}

} // namespace test_unload

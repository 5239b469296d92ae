// SPDX-License-Identifier: Apache-2.0
// Promise (docs/ports.md): what a daemon changed on the host is gone with a reboot and is not
// "restored" afterwards, even where the runtime directory outlives it. Two boots of one machine
// that has a disk: vm/reboot runs `before` in the first and `after` in the second.
#include <filesystem>

#include "tests/e2e/short_of_ports.h"
#include "tests/harness/group.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/wait.h"

namespace test_reboot {

using namespace ballast;
using namespace ballast::test;

namespace {

/// Raw, an archive on it: what a file system would hold after the power went.
constexpr auto disk = "/dev/vda";
const std::string untouched = "32768 32967";
const std::string flipped = "32769 32967";

void need_disk() {
    if (!std::filesystem::exists(disk))
        fail_test(std::string("there is no ") + disk + "; run vm/reboot");
}

/// What is on the disk is of a daemon in the midst of it, as after a loss of power.
void leaves_a_relief_in_force() {
    need_disk();
    auto& scene = calm_scene();
    const auto& client = scene.link.client;
    auto& listener = serve(scene, families.front());
    enact(scene, relief_of("test", listener.dest(), "\"flip\""));
    open_connections(client, listener.dest(), few_ports / 2);
    await([&] { return port_range(client) == flipped; }, "the range " + flipped);
    const auto list = read_file(scene.ballastd.runtime_dir() + "/undo.json");
    check(list.find(untouched) != std::string::npos, list);
    const auto directory = make_temp_dir();
    write_file(directory + "/netns", std::to_string(client.inode()));
    Netns::own().exec({"cp", "-r", scene.ballastd.runtime_dir(), directory + "/run"});
    Netns::own().exec({"cp", "-r", scene.ballastd.state_dir(), directory + "/state"});
    Netns::own().exec({"tar", "-cf", disk, "-C", directory, "netns", "run/undo.json", "state"});
    Netns::own().exec({"sync"});
}

/// The kernel counts cookies from the boot on.
std::uint64_t cookie_of(const Netns& netns) {
    const Fd socket = tcp_socket(netns, AF_INET);
    std::uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    need(::getsockopt(socket.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0, "cookie");
    return cookie;
}

/// The namespace has number and cookie of the one of before the reboot, and the range that the
/// daemon had set there then: only the boot differs.
void restores_nothing_of_before() {
    need_disk();
    const auto directory = make_temp_dir();
    Netns::own().exec({"tar", "-xf", disk, "-C", directory});
    const auto netns = read_file(directory + "/netns");
    auto& ballastd = make<Ballastd>(limit_policy(100'000, "observe"));
    Netns::own().exec({"cp", "-r", directory + "/state/.", ballastd.state_dir()});
    const Netns* same = nullptr;
    for (int i = 0; i < 20 && same == nullptr; ++i) {
        const auto link = make_link();
        for (const Netns* one : {&link.client, &link.server})
            if (std::to_string(one->inode()) == netns)
                same = one;
    }
    check(same != nullptr, "a namespace of the number " + netns);
    check_equal(same->exec({"sysctl", "-n", "net.ipv4.ip_local_port_range"}),
                std::string("32768\t60999\n"), "the kernel's own range");
    same->exec({"sysctl", "-qw", "net.ipv4.ip_local_port_range=" + flipped});
    auto list = Json::parse(read_file(directory + "/run/undo.json"));
    for (auto& change : list.at("changes"))
        change["cookie"] = cookie_of(*same);
    write_file(ballastd.runtime_dir() + "/undo.json", list.dump());
    ballastd.start();
    check_equal(port_range(*same), flipped, "what somebody set since");
    const auto unloaded = ballastd.json({"unload"});
    check_equal(unloaded.at("restored").size(), std::size_t(0), unloaded.dump());
    check_equal(port_range(*same), flipped, "after unload");
}

} // namespace

TEST_GROUP(before) {
    return Suite().add("leaves a relief in force", leaves_a_relief_in_force).run("before");
}

TEST_GROUP(after) {
    return Suite().add("restores nothing of before", restores_nothing_of_before).run("after");
}

} // namespace test_reboot

// SPDX-License-Identifier: Apache-2.0
// Promise (docs/ports.md): what only people can mend is named, with who does it; and a burst of
// connections is seen when it happens, not at the next pass.
#include "tests/e2e/failing.h"
#include "tests/e2e/short_of_ports.h"
#include "tests/harness/group.h"
#include "tests/harness/wait.h"

namespace test_port_findings {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr int ports = 600;

Scene& scene_of(int size) {
    return crowded_scene(limit_policy(100'000, "observe"), size);
}

std::uint16_t local_port(const Fd& socket, const Family& family) {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    need(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &length) == 0,
         "getsockname");
    return ntohs(family.domain == AF_INET ? reinterpret_cast<sockaddr_in&>(name).sin_port
                                          : reinterpret_cast<sockaddr_in6&>(name).sin6_port);
}

int bind_errno(const Fd& socket, const Family& family, std::uint16_t port) {
    const SocketAddress name(Dest{family.client, port}, family.domain);
    return ::bind(socket.get(), name.get(), name.length) == 0 ? 0 : errno;
}

std::uint64_t ports_status(Scene& scene, const char* what) {
    return scene.ballastd.status().at("ports").at(what).get<std::uint64_t>();
}

/// Two more, so that one of them began from now on.
void await_passes(Scene& scene) {
    const auto before = ports_status(scene, "passes");
    await([&] { return ports_status(scene, "passes") >= before + 2; }, "two passes");
}

std::vector<std::string> lines_in(Scene& scene, const char* reason) {
    return log_lines(scene, {std::string("finding reason=") + reason + " ",
                             fmt::format(" netns={}", scene.link.client.inode())});
}

/// A service starts again, and meanwhile a client has got its port.
void names_who_has_the_port(const Family& family) {
    auto& scene = scene_of(ports);
    const auto& dest = serve(scene, family).dest();
    auto& open = open_connections(scene.link.client, dest, 1);
    const auto port = local_port(open.front(), family);
    const Fd service = tcp_socket(scene.link.client, family.domain);
    check_errno(bind_errno(service, family, port), EADDRINUSE, "bind() to the port of a client");
    await([&] { return !lines_in(scene, "port_taken").empty(); }, "the finding");
    const auto line = lines_in(scene, "port_taken").front();
    const auto flow = fmt::format(" flow={}->{} ", Dest{family.client, port}.text(), dest.text());
    check(line.find(fmt::format(" port={} wanted_by=/", port)) != std::string::npos, line);
    check(line.find(fmt::format(" pid={} ", ::getpid())) != std::string::npos, line);
    check(line.find(" held_by=/") != std::string::npos && line.find(flow) != std::string::npos,
          line);
}

/// Ports that are free, of a service that is there already, or nobody's business.
void leaves_other_binds_alone(const Family& family) {
    auto& scene = scene_of(ports);
    const auto& dest = serve(scene, family).dest();
    open_connections(scene.link.client, dest, 20);
    std::vector<Fd> bound;
    for (std::uint16_t port = first_port; bound.size() < 5; ++port) {
        bound.push_back(tcp_socket(scene.link.client, family.domain));
        if (bind_errno(bound.back(), family, port) != 0)
            bound.pop_back();
    }
    const auto taken = local_port(bound.front(), family);
    const Fd again = tcp_socket(scene.link.client, family.domain);
    check_errno(bind_errno(again, family, taken), EADDRINUSE, "bind() to the port of a service");
    await_passes(scene);
    // ports that the loop above asked for in vain are reported, and rightly
    for (const auto& line : lines_in(scene, "port_taken"))
        for (const auto& one : bound)
            check(line.find(fmt::format(" port={} ", local_port(one, family))) == std::string::npos,
                  line);
}

void names_who_is_connected_to_itself(const Family& family) {
    auto& scene = scene_of(10);
    const Dest itself{family.client, first_port + 4};
    Fd socket;
    await(
        [&] {
            socket = tcp_socket(scene.link.client, family.domain);
            return connect_errno(socket, itself) == 0;
        },
        "a connection to itself");
    await([&] { return !lines_in(scene, "self_connect").empty(); }, "the finding");
    const auto line = lines_in(scene, "self_connect").front();
    check(line.find(" destination=" + itself.text() + " ") != std::string::npos, line);
    check(line.find(" consumer=/") != std::string::npos, line);
}

void tells_when_buckets_are_used_up(const Family& family) {
    auto& scene = scene_of(ports);
    scene.link.client.sysctl("net.ipv4.tcp_max_tw_buckets", 40);
    auto& listener = serve(scene, family);
    answer(listener);
    open_connections(scene.link.client, listener.dest(), 30).clear();
    await_passes(scene);
    check(lines_in(scene, "tw_bucket_overflow").empty(), "nothing is reported at 30 of 40");
    open_connections(scene.link.client, listener.dest(), 30).clear();
    await([&] { return !lines_in(scene, "tw_bucket_overflow").empty(); }, "the finding");
    const auto line = lines_in(scene, "tw_bucket_overflow").front();
    check(line.find(" time_wait=40 of=40 ") != std::string::npos, line);
}

/// Between two passes: half of the ports at once.
void sees_a_burst(const Family& family) {
    auto& scene = scene_of(ports);
    const auto& dest = serve(scene, family).dest();
    open_connections(scene.link.client, dest, 1);
    await([&] { return !port_row(scene, dest).is_null(); }, "a pass");
    const auto before = ports_status(scene, "hastened");
    open_connections(scene.link.client, dest, ports / 2);
    await([&] { return ports_status(scene, "hastened") > before; }, "a pass before its time");
    await(
        [&] {
            const auto row = port_row(scene, dest);
            return row.at("ports").at("used").get<int>() == ports / 2 + 1;
        },
        "all that is in use");
}

} // namespace

TEST_GROUP(port_findings) {
    return Suite()
        .each(families, "names who has the port of a service", names_who_has_the_port)
        .host_each(families, "leaves other binds alone", leaves_other_binds_alone)
        .each(families, "names who is connected to itself", names_who_is_connected_to_itself)
        .host_each(families, "reports that buckets are used up", tells_when_buckets_are_used_up)
        .each(families, "sees a burst", sees_a_burst)
        .run_at_once("port_findings", 2);
}

} // namespace test_port_findings

// SPDX-License-Identifier: Apache-2.0
// Promise (docs/ports.md): who runs out of local ports is named before the first connect() fails,
// and what only looks like it is left alone.
#include "tests/e2e/scene.h"

#include <cstdlib>

#include <poll.h>

#include "tests/e2e/failing.h"
#include "tests/harness/group.h"
#include "tests/harness/wait.h"

namespace test_port_pressure {

using namespace ballast;
using namespace ballast::test;
using std::chrono::milliseconds;

namespace {

constexpr int low = 32768;
constexpr int ports = 600;

/// Few ports, so that seconds do what takes minutes elsewhere.
Scene& crowded_scene(int size = ports) {
    auto& scene = make_scene(limit_policy(100'000, "observe"));
    scene.link.client.exec(
        {"sysctl", "-qw", fmt::format("net.ipv4.ip_local_port_range={} {}", low, low + size - 1)});
    return scene;
}

/// Takes what comes and closes it once the client has.
void answer(Listener& listener) {
    auto& server = make<Process>();
    server.fork([&listener] {
        std::vector<Fd> open;
        for (;;) {
            std::vector<pollfd> polled{{listener.socket().get(), POLLIN, 0}};
            for (const auto& one : open)
                polled.push_back({one.get(), POLLIN, 0});
            ::poll(polled.data(), polled.size(), -1);
            for (std::size_t i = open.size(); i-- > 0;)
                if (polled.at(i + 1).revents != 0)
                    open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
            if (polled.front().revents != 0)
                open.emplace_back(
                    ::accept4(listener.socket().get(), nullptr, nullptr, SOCK_CLOEXEC));
        }
        return 0;
    });
}

/// Opens `per_second` connections to each in turn and closes them at once, until one fails: the
/// process ends with its errno.
Process& churn(const Netns& from, const std::vector<Dest>& dests, int per_second) {
    auto& client = make<Process>();
    client.fork([&from, dests, per_second] {
        const auto began = Clock::now();
        for (long i = 0;; ++i) {
            const auto at = began + std::chrono::microseconds(i * 1'000'000 / per_second);
            while (Clock::now() < at)
                ::poll(nullptr, 0, 1);
            const auto made = attempt(from, dests.at(static_cast<std::size_t>(i) % dests.size()));
            if (made.error != 0)
                return made.error;
        }
    });
    return client;
}

Json rows(Scene& scene) {
    return scene.ballastd.get("/v1/ports?limit=10000").at("ports");
}

Json row_of(Scene& scene, const Dest& dest) {
    const auto all = rows(scene);
    for (const auto& row : all)
        if (row.at("endpoint") == dest.text())
            return row;
    return nullptr;
}

std::vector<std::string> told(Scene& scene, const std::string& reason, const Dest& dest) {
    std::vector<std::string> lines;
    for (const auto& line : log_lines(scene, {"finding reason=" + reason}))
        if (line.find(" destination=" + dest.text() + " ") != std::string::npos)
            lines.push_back(line);
    return lines;
}

void foretells_the_wall(const Family& family) {
    // an emulated machine may open no more than some connections a second
    const bool is_slow = std::getenv("BALLAST_VM") != nullptr;
    const int few = is_slow ? ports / 3 : ports;
    auto& scene = crowded_scene(few);
    auto& listener = serve(scene, family);
    const auto dest = listener.dest();
    answer(listener);
    auto& client = churn(scene.link.client, {dest}, is_slow ? 5 : 25);
    await([&] { return !told(scene, "ports_filling", dest).empty(); }, "the warning");
    check(!client.wait(milliseconds(0)).has_value(), "it comes before the first failure");
    note(told(scene, "ports_filling", dest).front());
    await([&] { return !told(scene, "ports_slow", dest).empty(); }, "the knee");
    const auto ended =
        client.wait(std::chrono::duration_cast<milliseconds>(patience(std::chrono::seconds(60))));
    check_equal(ended.value_or(-1), EADDRNOTAVAIL, "how it ends");
    await([&] { return !told(scene, "ports_exhausted", dest).empty(); }, "the wall");
    const auto row = row_of(scene, dest);
    check_equal(row.at("state").get<std::string>(), "exhausted", row.dump());
    check_equal(row.at("ports").at("capacity").get<int>(), few, row.dump());
    check(row.at("relief").get<std::string>().find("TIME_WAIT") != std::string::npos, row.dump());
}

/// As many connections a second, and more in all than one destination could have.
void leaves_many_destinations_alone(const Family& family) {
    auto& scene = crowded_scene();
    std::vector<Dest> dests;
    for (int i = 0; i < 10; ++i) {
        auto& listener = serve(scene, family);
        answer(listener);
        dests.push_back(listener.dest());
    }
    auto& client = churn(scene.link.client, dests, 30);
    const auto used = [&] {
        long sum = 0;
        for (const auto& dest : dests)
            if (const auto row = row_of(scene, dest); !row.is_null())
                sum += row.at("ports").at("used").get<long>();
        return sum;
    };
    await([&] { return used() > ports; }, "more than its ports");
    check(!client.wait(milliseconds(0)).has_value(), "none fails");
    for (const auto& dest : dests) // the daemon sees what other tests do, too
        check(told(scene, "ports_", dest).empty(), "nothing is told of " + dest.text());
    check_equal(row_of(scene, dests.front()).at("state").get<std::string>(), "ok", "state");
}

/// The most repeated mistake: bind() before connect() without IP_BIND_ADDRESS_NO_PORT.
void names_poisoned_ports(const Family& family) {
    auto& scene = crowded_scene();
    auto& listener = serve(scene, family);
    std::vector<Fd> bound;
    for (int i = 0; i < ports / 5; ++i) {
        bound.push_back(tcp_socket(scene.link.client, family.domain));
        const SocketAddress name(Dest{family.client, std::uint16_t(low + 2 * i)}, family.domain);
        need(::bind(bound.back().get(), name.get(), name.length) == 0, "bind");
    }
    auto& open = open_connections(scene.link.client, listener.dest(), 3);
    Json row;
    await(
        [&] {
            row = row_of(scene, listener.dest());
            return !row.is_null() && row.at("poisoned") == ports / 5 && row.at("established") == 3;
        },
        "the state");
    check_equal(row.at("state").get<std::string>(), "poisoned", row.dump());
    check_equal(row.at("ports").at("capacity").get<int>(), ports - ports / 5, row.dump());
    check_equal(row.at("ports").at("used").get<int>(), 3, row.dump());
    bound.clear();
    open.pop_back();
    await([&] { return row_of(scene, listener.dest()).at("state") == "ok"; }, "its end");
}

/// The most repeated report: each such connection blocks a port for all others, and nobody says
/// who.
void names_who_binds_before_connect(const Family& family) {
    auto& scene = crowded_scene();
    auto& listener = serve(scene, family);
    std::vector<Fd> open;
    for (int i = 0; i < 60; ++i) {
        Fd socket = tcp_socket(scene.link.client, family.domain);
        const SocketAddress name(Dest{family.client, 0}, family.domain);
        need(::bind(socket.get(), name.get(), name.length) == 0, "bind");
        check_errno(connect_errno(socket, listener.dest()), 0, "connect()");
        open.push_back(std::move(socket));
    }
    const auto netns = fmt::format(" netns={} ", scene.link.client.inode());
    const auto lines = [&] {
        return log_lines(scene, {"finding reason=bind_before_connect ", netns});
    };
    await([&] { return !lines().empty(); }, "the finding");
    const auto line = lines().front();
    check(line.find(" connections=60 poisoned=60 of=600" + netns + "consumer=/") !=
              std::string::npos,
          line);
}

/// The same addresses and port elsewhere are another tuple.
void tells_namespaces_apart(const Family& family) {
    auto& scene = crowded_scene();
    const auto other = make_link();
    auto& here = make<Listener>(scene.link.server, Dest{family.server, 9000});
    auto& there = make<Listener>(other.server, Dest{family.server, 9000});
    auto& few = open_connections(scene.link.client, here.dest(), 2);
    auto& more = open_connections(other.client, there.dest(), 5);
    const auto used_in = [&](const Netns& netns) {
        const auto all = rows(scene);
        for (const auto& row : all)
            if (row.at("netns") == netns.inode() && row.at("endpoint") == here.dest().text())
                return row.at("ports").at("used").get<int>();
        return 0;
    };
    await([&] { return used_in(other.client) == 5; }, "those there");
    check_equal(used_in(scene.link.client), 2, "those here");
    few.clear();
    more.clear();
}

} // namespace

TEST_GROUP(port_pressure) {
    return Suite()
        .host_each(families, "foretells the wall", foretells_the_wall)
        .host_each(families, "leaves many destinations alone", leaves_many_destinations_alone)
        .each(families, "names poisoned ports", names_poisoned_ports)
        .each(families, "names who binds before connect", names_who_binds_before_connect)
        .each(families, "tells namespaces apart", tells_namespaces_apart)
        .run_at_once("port_pressure", 2);
}

} // namespace test_port_pressure

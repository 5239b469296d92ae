// SPDX-License-Identifier: Apache-2.0
// Promise (docs/ports.md): who runs out of local ports is named before the first connect() fails,
// and what only looks like it is left alone.
#include "tests/e2e/short_of_ports.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "tests/e2e/failing.h"
#include "tests/harness/group.h"
#include "tests/harness/wait.h"

namespace test_port_pressure {

using namespace ballast;
using namespace ballast::test;
using std::chrono::milliseconds;

namespace {

constexpr int ports = 600;

Scene& scene_of(int size) {
    return crowded_scene(limit_policy(100'000, "observe"), size);
}

void foretells_the_wall(const Family& family) {
    // an emulated machine may open no more than some connections a second
    const bool is_slow = std::getenv("BALLAST_VM") != nullptr;
    const int few = is_slow ? ports / 3 : ports;
    auto& scene = scene_of(few);
    auto& listener = serve(scene, family);
    const auto dest = listener.dest();
    answer(listener);
    auto& client = churn(scene.link.client, {dest}, is_slow ? 5 : 25);
    await([&] { return !findings_of(scene, "ports_filling", dest).empty(); }, "the warning");
    check(!client.wait(milliseconds(0)).has_value(), "it comes before the first failure");
    note(findings_of(scene, "ports_filling", dest).front());
    await([&] { return !findings_of(scene, "ports_slow", dest).empty(); }, "the knee");
    const auto ended =
        client.wait(std::chrono::duration_cast<milliseconds>(patience(std::chrono::seconds(60))));
    check_equal(ended.value_or(-1), EADDRNOTAVAIL, "how it ends");
    await([&] { return !findings_of(scene, "ports_exhausted", dest).empty(); }, "the wall");
    const auto row = port_row(scene, dest);
    check_equal(row.at("state").get<std::string>(), "exhausted", row.dump());
    check_equal(row.at("ports").at("capacity").get<int>(), few, row.dump());
    check(row.at("relief").get<std::string>().find("TIME_WAIT") != std::string::npos, row.dump());
}

/// As many connections a second, and more in all than one destination could have.
void leaves_many_destinations_alone(const Family& family) {
    auto& scene = scene_of(ports);
    std::vector<Dest> dests;
    for (int i = 0; i < 10; ++i) {
        auto& listener = serve(scene, family);
        answer(listener);
        dests.push_back(listener.dest());
    }
    auto& client = churn(scene.link.client, dests, 20); // 120 of 600 within a minute, to each
    const auto used = [&] {
        long sum = 0;
        for (const auto& dest : dests)
            if (const auto row = port_row(scene, dest); !row.is_null())
                sum += row.at("ports").at("used").get<long>();
        return sum;
    };
    await([&] { return used() > ports; }, "more than its ports");
    check(!client.wait(milliseconds(0)).has_value(), "none fails");
    for (const auto& dest : dests) // the daemon sees what other tests do, too
        check(findings_of(scene, "ports_", dest).empty(), "nothing is told of " + dest.text());
    check_equal(port_row(scene, dests.front()).at("state").get<std::string>(), "ok", "state");
}

/// As in the field: 600 a second to 200 ports of one server are quiet, by all 28,232 ports; 500 a
/// second to one port are not, and that is known before the first connect() fails.
void tells_rates_apart(const Family& family) {
    constexpr int few = 5'000;
    auto& scene = make_scene(limit_policy(100'000, "observe"));
    std::vector<Listener*> listeners;
    std::vector<Dest> dests;
    for (int i = 0; i < 200; ++i) {
        listeners.push_back(&serve(scene, family));
        dests.push_back(listeners.back()->dest());
    }
    answer(listeners);
    auto& many = churn(scene.link.client, dests, 600);
    const auto used = [&] {
        std::map<std::string, long> by_endpoint;
        for (const auto& row : port_rows(scene))
            by_endpoint[row.at("endpoint")] += row.at("ports").at("used").get<long>();
        return std::ranges::count_if(
            dests, [&](const Dest& one) { return by_endpoint[one.text()] >= 10; });
    };
    await([&] { return used() == 200; }, "10 connections to each");
    check(!many.wait(milliseconds(0)).has_value(), "none fails");
    many.kill();
    for (const auto& dest : dests)
        check(findings_of(scene, "", dest).empty(), "nothing is reported of " + dest.text());

    scene.link.client.exec(
        {"sysctl", "-qw",
         fmt::format("net.ipv4.ip_local_port_range={} {}", first_port, first_port + few - 1)});
    auto& one = churn(scene.link.client, {dests.front()}, 500);
    await([&] { return !findings_of(scene, "ports_", dests.front()).empty(); }, "the warning");
    check(!one.wait(milliseconds(0)).has_value(), "it comes before the first failure");
    const auto ended =
        one.wait(std::chrono::duration_cast<milliseconds>(patience(std::chrono::seconds(60))));
    check_equal(ended.value_or(-1), EADDRNOTAVAIL, "how it ends");
}

/// The most repeated mistake: bind() before connect() without IP_BIND_ADDRESS_NO_PORT.
void names_poisoned_ports(const Family& family) {
    auto& scene = scene_of(ports);
    auto& listener = serve(scene, family);
    std::vector<Fd> bound;
    for (int i = 0; i < ports / 5; ++i) {
        bound.push_back(tcp_socket(scene.link.client, family.domain));
        const SocketAddress name(Dest{family.client, std::uint16_t(first_port + 2 * i)},
                                 family.domain);
        need(::bind(bound.back().get(), name.get(), name.length) == 0, "bind");
    }
    auto& open = open_connections(scene.link.client, listener.dest(), 3);
    Json row;
    await(
        [&] {
            row = port_row(scene, listener.dest());
            return !row.is_null() && row.at("poisoned") == ports / 5 && row.at("established") == 3;
        },
        "the state");
    check_equal(row.at("state").get<std::string>(), "poisoned", row.dump());
    check_equal(row.at("ports").at("capacity").get<int>(), ports - ports / 5, row.dump());
    check_equal(row.at("ports").at("used").get<int>(), 3, row.dump());
    bound.clear();
    open.pop_back();
    await([&] { return port_row(scene, listener.dest()).at("state") == "ok"; }, "its end");
}

/// The most repeated report: each such connection blocks a port for all others, and nobody says
/// who.
void names_who_binds_before_connect(const Family& family) {
    auto& scene = scene_of(ports);
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
    auto& scene = scene_of(ports);
    const auto other = make_link();
    auto& here = make<Listener>(scene.link.server, Dest{family.server, 9000});
    auto& there = make<Listener>(other.server, Dest{family.server, 9000});
    auto& few = open_connections(scene.link.client, here.dest(), 2);
    auto& more = open_connections(other.client, there.dest(), 5);
    const auto used_in = [&](const Netns& netns) {
        const auto all = port_rows(scene);
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
        .host_each(families, "tells rates apart", tells_rates_apart)
        .each(families, "names poisoned ports", names_poisoned_ports)
        .each(families, "names who binds before connect", names_who_binds_before_connect)
        .each(families, "tells namespaces apart", tells_namespaces_apart)
        .run_at_once("port_pressure", 2);
}

} // namespace test_port_pressure

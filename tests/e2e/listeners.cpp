// SPDX-License-Identifier: Apache-2.0
// Promise (docs/listeners.md): what waits at each listener of each network namespace is shown as it
// is, and a server that stops to accept is named long before its queue is full.
#include <algorithm>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <poll.h>

#include "tests/e2e/failing.h"
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"
#include "tests/harness/wait.h"

namespace test_listeners {

using namespace ballast;
using namespace ballast::test;

namespace {

Scene* scene = nullptr;

const Netns& server() {
    return scene->link.server;
}

std::vector<Json> rows_in(const Netns& where) {
    const auto all = scene->ballastd.get("/v1/listeners?limit=10000").at("listeners");
    std::vector<Json> rows;
    std::ranges::copy_if(all, std::back_inserter(rows),
                         [&](const Json& row) { return row.at("netns") == where.inode(); });
    return rows;
}

/// The first of an endpoint, the worst; null: there is none.
Json row_of(const Dest& dest) {
    const auto rows = rows_in(server());
    const auto found = std::ranges::find_if(
        rows, [&](const Json& row) { return row.at("endpoint") == dest.text(); });
    return found == rows.end() ? Json(nullptr) : *found;
}

void await_state(const Dest& dest, const std::string& state) {
    await(
        [&] {
            const auto row = row_of(dest);
            return !row.is_null() && row.at("state") == state;
        },
        dest.text() + " " + state);
}

std::string finding_of(const std::string& reason, const Dest& dest) {
    std::string line;
    await(
        [&] {
            const auto lines = log_lines(
                *scene, {"finding reason=" + reason + " ", " listener=" + dest.text() + " "});
            line = lines.empty() ? "" : lines.front();
            return !line.empty();
        },
        reason + " of " + dest.text());
    return line;
}

/// Clients whose handshakes are under way, or done.
std::vector<Fd> clients_of(const Dest& dest, int count) {
    std::vector<Fd> made;
    for (int i = 0; i < count; ++i) {
        made.push_back(
            tcp_socket(scene->link.client, dest.v4() ? AF_INET : AF_INET6, SOCK_NONBLOCK));
        (void)connect_errno(made.back(), dest);
    }
    return made;
}

void names_who_does_not_accept(const Family& family) {
    auto& listener = serve(*scene, family);
    const auto& dest = listener.dest();
    const auto& open = open_connections(scene->link.client, dest, 3);
    await_state(dest, "not_accepting");
    const auto row = row_of(dest);
    check_equal(row.at("queue").at("depth").get<int>(), 3, row.dump());
    check_equal(row.at("overflows").get<int>(), 0, row.dump());
    check(row.at("stalled_ms").get<int>() >= 5'000, row.dump());
    check(row.at("oldest_ms").get<int>() >= 5'000, row.dump());
    const auto line = finding_of("listener_not_accepting", dest);
    check(line.find(fmt::format(" pid={} ", ::getpid())) != std::string::npos, line);
    check_equal(attempt(scene->link.client, dest).error, 0, "a check that only connects");
    for (std::size_t i = 0; i < open.size() + 1; ++i)
        (void)listener.accept();
    await_state(dest, "ok");
}

/// Slower than its clients, yet it goes on.
void leaves_who_accepts_alone(const Family& family) {
    auto& listener = serve(*scene, family);
    const auto& dest = listener.dest();
    const auto& open = open_connections(scene->link.client, dest, 12);
    for (std::size_t i = 0; i + 4 < open.size(); ++i) {
        (void)listener.accept();
        const auto passes = [] {
            return scene->ballastd.status().at("listeners").at("passes").get<long>();
        };
        const auto before = passes();
        await([&] { return passes() > before; }, "a pass");
    }
    check(log_lines(*scene, {"reason=listener_", dest.text()}).empty(), "nothing is reported");
}

void reports_overflow(const Family& family) {
    constexpr int backlog = 2;
    auto& listener = make<Listener>(server(), Dest{family.server, 0}, backlog);
    const auto& dest = listener.dest();
    const auto clients = clients_of(dest, 12);
    await([&] { return !row_of(dest).is_null() && row_of(dest).at("overflows").get<int>() > 0; },
          "dropped SYNs");
    const auto row = row_of(dest);
    check_equal(row.at("queue").at("limit").get<int>(), backlog, row.dump());
    check_equal(row.at("queue").at("depth").get<int>(), backlog + 1, row.dump());
    const auto line = finding_of("listener_overflow", dest);
    check(line.find(" would_have_held=") != std::string::npos, line);
    check(line.find(" of=2 ") != std::string::npos, line);
}

Fd one_of_several(const Dest& dest) {
    Fd socket = tcp_socket(server(), dest.v4() ? AF_INET : AF_INET6, SOCK_NONBLOCK);
    set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1);
    const SocketAddress name(dest, dest.v4() ? AF_INET : AF_INET6);
    need(::bind(socket.get(), name.get(), name.length) == 0, "bind");
    need(::listen(socket.get(), 100) == 0, "listen");
    return socket;
}

/// Four workers, of which one has stopped.
void names_the_one_that_is_stuck(const Family& family) {
    constexpr std::uint16_t port = 7'777;
    const Dest dest{family.server, port};
    Process stuck;
    stuck.fork([&] {
        const Fd socket = one_of_several(dest);
        ::pause();
        return 0;
    });
    Process workers;
    workers.fork([&] {
        std::vector<Fd> sockets;
        std::vector<pollfd> polled;
        for (int i = 0; i < 3; ++i) {
            sockets.push_back(one_of_several(dest));
            polled.push_back({sockets.back().get(), POLLIN, 0});
        }
        for (;;) {
            ::poll(polled.data(), polled.size(), -1);
            for (const auto& one : sockets)
                (void)Fd(::accept4(one.get(), nullptr, nullptr, SOCK_CLOEXEC));
        }
        return 0;
    });
    await(
        [&] {
            const auto row = row_of(dest);
            return !row.is_null() && row.at("group_size") == 4;
        },
        "four of them");
    std::vector<Fd> open; // until the one that is stuck has got its share
    await(
        [&] {
            open.push_back(attempt(scene->link.client, dest).socket);
            return row_of(dest).at("queue").at("depth").get<int>() > 0 && open.size() > 8;
        },
        "one that waits");
    await_state(dest, "one_stuck");
    const auto line = finding_of("listener_one_stuck", dest);
    check(line.find(fmt::format(" pid={} ", stuck.pid())) != std::string::npos, line);
    check(log_lines(*scene, {"reason=listener_not_accepting", dest.text()}).empty(),
          "the others are well");
}

/// As a reload does that does not hand its socket over.
void counts_what_a_closed_listener_left(const Family& family) {
    auto& listener = serve(*scene, family);
    const Dest dest = listener.dest();
    const auto& open = open_connections(scene->link.client, dest, 2);
    await([&] { return !row_of(dest).is_null() && row_of(dest).at("queue").at("depth") == 2; },
          "two that wait");
    listener.close();
    const auto line = finding_of("listener_closed_waiting", dest);
    check(line.find(" queue=2 ") != std::string::npos, line);
    check(row_of(dest).is_null(), "it is shown no longer");
    check_equal(open.size(), std::size_t(2), "clients");
}

void says_that_somaxconn_is_the_limit(const Family& family) {
    const auto other = make_link();
    other.server.sysctl("net.core.somaxconn", 5);
    auto& listener = make<Listener>(other.server, Dest{family.server, 0}, 100);
    std::vector<Json> rows;
    await(
        [&] {
            rows = rows_in(other.server);
            return !rows.empty();
        },
        "a listener in another namespace");
    check_equal(rows.size(), std::size_t(1), "listeners there");
    check_equal(rows.front().at("endpoint").get<std::string>(), listener.dest().text(), "endpoint");
    check_equal(rows.front().at("queue").at("limit").get<int>(), 5, rows.front().dump());
    check(rows.front().at("clipped").get<bool>(), rows.front().dump());
}

/// "Local Recv-Q Send-Q" of each.
std::multiset<std::string> by_ss(const Netns& where) {
    std::multiset<std::string> lines;
    std::istringstream text(where.exec({"ss", "-Hltn"}));
    for (std::string line; std::getline(text, line);) {
        std::istringstream words(line);
        std::string state, depth, limit, local;
        words >> state >> depth >> limit >> local;
        lines.insert(fmt::format("{} {} {}", local, depth, limit));
    }
    return lines;
}

/// All of a namespace with hundreds, whatever waits there.
void agrees_with_ss() {
    const auto other = make_link();
    std::vector<Listener*> listeners;
    for (int i = 0; i < 300; ++i)
        listeners.push_back(&make<Listener>(
            other.server, Dest{families[static_cast<std::size_t>(i % 2)].server, 0}, 5 + i % 7));
    std::vector<Fd> open;
    for (std::size_t i = 0; i < listeners.size(); i += 3)
        for (std::size_t n = 0; n <= i % 5; ++n)
            open.push_back(attempt(other.client, listeners.at(i)->dest()).socket);
    const auto wanted = by_ss(other.server);
    std::multiset<std::string> shown;
    await(
        [&] {
            shown.clear();
            for (const auto& row : rows_in(other.server))
                shown.insert(fmt::format("{} {} {}", row.at("endpoint").get<std::string>(),
                                         row.at("queue").at("depth").get<int>(),
                                         row.at("queue").at("limit").get<int>()));
            return shown == wanted;
        },
        fmt::format("the {} listeners of ss", wanted.size()));
    const auto status = scene->ballastd.status().at("listeners");
    note(fmt::format("{} listeners in {} us of processor", status.at("listeners").get<int>(),
                     status.at("last_cpu_us").get<int>()));
}

} // namespace

TEST_GROUP(listeners) {
    return Suite()
        .shared([] { scene = &make_scene(limit_policy(100'000, "observe")); })
        .each(families, "names who does not accept", names_who_does_not_accept)
        .host_each(families, "leaves who accepts alone", leaves_who_accepts_alone)
        .each(families, "reports an overflow", reports_overflow)
        .host_each(families, "names the one that is stuck", names_the_one_that_is_stuck)
        .host_each(families, "counts what a closed listener left",
                   counts_what_a_closed_listener_left)
        .host_each(families, "says that somaxconn is the limit", says_that_somaxconn_is_the_limit)
        .add("agrees with ss", agrees_with_ss)
        .run("listeners");
}

} // namespace test_listeners

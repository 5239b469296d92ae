// SPDX-License-Identifier: Apache-2.0
// Promise: when thousands of connections die at once, with as many healthy ones beside them, each
// dead one is reset and no other, a limited number at a time, and all are reported.
#include "tests/e2e/half_open_place.h"
#include "tests/harness/group.h"

#include <cstdlib>

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>

namespace test_half_open_many {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr const char* doomed_address = "10.77.0.3";

unsigned many() {
    return std::getenv("BALLAST_VM") ? 500 : 5000;
}

/// What is proven dead waits for no cap, only for its turn (docs/half-open.md).
constexpr long most_in_a_tenth = 64;

std::string many_policy() {
    return flow_policy("mode = \"enforce\", action = \"reset\"");
}

void raise_file_limit() {
    rlimit limit{};
    need(::getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    need(::setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
}

/// Takes connections and gives each byte back, until it is killed.
int echo_all(int listener) {
    const int queue = ::epoll_create1(0);
    const auto watch = [queue](int fd) {
        epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
        ::epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event);
    };
    watch(listener);
    epoll_event event{};
    while (::epoll_wait(queue, &event, 1, -1) >= 0) {
        char byte = 0;
        if (event.data.fd == listener)
            watch(::accept(listener, nullptr, nullptr));
        else if (::recv(event.data.fd, &byte, 1, 0) != 1 ||
                 ::send(event.data.fd, &byte, 1, MSG_NOSIGNAL) != 1)
            ::close(event.data.fd);
    }
    return 1;
}

Fd connect_from(const Wall& wall, const char* address, const Dest& dest) {
    auto socket = tcp_socket(wall.link().client, AF_INET);
    set_option(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    const SocketAddress own({address, 0}, AF_INET);
    need(::bind(socket.get(), own.get(), own.length) == 0, "bind");
    check_errno(connect_errno(socket, dest), 0, "connect()");
    return socket;
}

bool echoes(const Fd& socket) {
    char byte = 'x';
    return ::send(socket.get(), &byte, 1, MSG_NOSIGNAL) == 1 &&
           wait_fd(socket.get(), POLLIN, Clock::now() + patience()) &&
           ::recv(socket.get(), &byte, 1, 0) == 1;
}

std::uint64_t cookie_of(const Fd& socket) {
    std::uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    need(::getsockopt(socket.get(), SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0, "SO_COOKIE");
    return cookie;
}

int error_of_socket(const Fd& socket) {
    int error = 0;
    socklen_t length = sizeof error;
    need(::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0, "SO_ERROR");
    return error;
}

struct Fleet {
    std::vector<Fd> doomed;
    std::vector<Fd> healthy;
    Fd witness; ///< lives beside the doomed, so that the path is seen to work
};

Fleet& open_fleet(const Place& place, const Family& family) {
    auto& fleet = make<Fleet>();
    for (unsigned i = 0; i < many(); ++i) {
        fleet.doomed.push_back(connect_from(place.wall, doomed_address, place.listener.dest()));
        fleet.healthy.push_back(connect_from(place.wall, family.client, place.listener.dest()));
    }
    fleet.witness = connect_from(place.wall, doomed_address, place.listener.dest());
    for (const auto* side : {&fleet.doomed, &fleet.healthy})
        for (const auto& socket : *side)
            check(echoes(socket), "an echo");
    return fleet;
}

long half_open(const Place& place, const char* key) {
    return place.scene.ballastd.status().at("half_open").at(key).get<long>();
}

/// Keeps the healthy ones talking and looks at how many resets there were.
void watch_resets(const Place& place, const Fleet& fleet) {
    std::size_t next = 0;
    std::optional<Clock::time_point> first;
    long last = 0;
    const auto is_done = [&] {
        for (int i = 0; i < 20; ++i)
            check(echoes(fleet.healthy.at(next++ % fleet.healthy.size())), "a healthy one lives");
        check(echoes(fleet.witness), "the path works");
        const long done = half_open(place, "reset");
        if (done > 0 && !first)
            first = Clock::now() - std::chrono::seconds(1);
        check(done >= last, "none is taken back");
        last = done;
        if (first) {
            const std::chrono::duration<double> passed = Clock::now() - *first;
            check(static_cast<double>(done) <= most_in_a_tenth * (1 + passed.count() * 10),
                  fmt::format("{} after {:.1f} s are few enough", done, passed.count()));
        }
        return done == static_cast<long>(many());
    };
    if (!wait_until(is_done, patience(std::chrono::seconds(60))))
        fail_test(fmt::format("{} of {} were reset: {}", last, many(),
                              place.scene.ballastd.status().at("half_open").dump()));
}

/// Flows that findings with these parts count.
long told(const Place& place, const std::vector<std::string>& parts) {
    long sum = 0;
    for (const auto& line : log_lines(place.scene, parts))
        sum += std::atol(line.substr(line.find(" flows=") + 7).c_str());
    return sum;
}

void check_each(const Fleet& fleet, const std::vector<std::uint64_t>& cookies) {
    for (const auto& socket : fleet.doomed)
        check_errno(error_of_socket(socket), ECONNABORTED, "what a dead one's program is told");
    for (std::size_t i = 0; i < fleet.healthy.size(); ++i) {
        check(cookie_of(fleet.healthy.at(i)) == cookies.at(i), "the same socket");
        check(tcp_state(fleet.healthy.at(i)) == TCP_ESTABLISHED && echoes(fleet.healthy.at(i)),
              "a healthy one is unhurt");
    }
}

void resets_the_dead_and_no_other() {
    const auto& family = walled_families.front();
    raise_file_limit();
    auto& place = make_place(family, many_policy());
    place.wall.stand(never_forget_s);
    place.wall.link().client.ip({fmt::format("addr add {}/24 dev c0", doomed_address)});
    auto& server = make<Process>();
    server.fork([fd = place.listener.socket().get()] { return echo_all(fd); });
    auto& fleet = open_fleet(place, family);
    std::vector<std::uint64_t> cookies;
    for (const auto& socket : fleet.healthy)
        cookies.push_back(cookie_of(socket));
    live_until(
        {}, [&] { return silent_ms(fleet.doomed.back()) > 1500; }, "silence");
    place.wall.cut_off(doomed_address, fleet.witness);
    for (const auto& socket : fleet.doomed)
        say(socket);
    watch_resets(place, fleet);
    const auto wanted = static_cast<long>(many());
    await_equal(
        [&] {
            return told(place, {"finding reason=half_open_flow", "act=reset"});
        },
        wanted, "flows that were told to be reset");
    await_equal([&] { return told(place, {"finding reason=half_open_flow "}); }, wanted,
                "flows that were told to be half-open");
    check_each(fleet, cookies);
    note(place.scene.ballastd.status().at("half_open").dump());
}

} // namespace

TEST_GROUP(half_open_many) {
    return Suite()
        .add("resets the dead and no other", resets_the_dead_and_no_other)
        .run("half_open_many");
}

} // namespace test_half_open_many

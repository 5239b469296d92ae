// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/failing.h"

#include <algorithm>
#include <sstream>

#include <netinet/tcp.h>

namespace ballast::test {

namespace {

bool is_given_up(const Fd& socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    ::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size);
    return info.tcpi_retransmits > 0 || info.tcpi_state == TCP_CLOSE;
}

} // namespace

std::string breaker_policy(const BreakerKnobs& knobs) {
    return policy({{.limit = 100, .mode = "enforce", .on_limit = "unreachable"}}, knobs.daemon) +
           fmt::format("breaker = {{ mode = \"{}\", {} }}\n", knobs.mode, knobs.breaker);
}

Peer dead_peer(const Scene& scene, const Family& family) {
    auto& listener = serve(scene, family);
    const Dest dest = listener.dest();
    listener.close();
    return {listener, dest};
}

int error_of(const Scene& scene, const Dest& dest) {
    return attempt(scene.link.client, dest).error;
}

void fail_times(const Scene& scene, const Dest& dest, unsigned times) {
    for (unsigned i = 0; i < times; ++i)
        check_errno(error_of(scene, dest), ECONNREFUSED, "the peer refuses");
}

std::vector<Dest> many_peers(const Scene& scene, unsigned count) {
    std::vector<Dest> dests;
    for (unsigned i = 0; i < count; ++i)
        dests.push_back(serve(scene, families.front()).dest());
    for (const auto& dest : dests)
        check_errno(error_of(scene, dest), 0, "every destination is in use");
    return dests;
}

void let_time_out(const Scene& scene, const std::vector<Dest>& dests) {
    std::vector<Fd>& tries = make<std::vector<Fd>>();
    for (int round = 0; round < 2; ++round)
        for (const auto& dest : dests) {
            tries.push_back(tcp_socket(scene.link.client, AF_INET, SOCK_NONBLOCK));
            connect_errno(tries.back(), dest);
        }
    await([&] { return std::ranges::all_of(tries, is_given_up); }, "every SYN to be sent again");
    tries.clear();
}

unsigned count_open(const Scene& scene, const std::vector<Dest>& dests) {
    return static_cast<unsigned>(std::ranges::count_if(dests, [&](const Dest& dest) {
        auto socket = tcp_socket(scene.link.client, AF_INET, SOCK_NONBLOCK);
        return connect_errno(socket, dest) == EHOSTUNREACH;
    }));
}

std::vector<std::string> log_lines(const Scene& scene, const std::vector<std::string>& parts) {
    std::vector<std::string> found;
    std::istringstream log(scene.ballastd.log());
    for (std::string line; std::getline(log, line);)
        if (std::ranges::all_of(parts, [&](const std::string& part) {
                return line.find(part) != std::string::npos;
            }))
            found.push_back(line);
    return found;
}

void await_finding(const Scene& scene, const std::string& reason, const Dest& dest) {
    await(
        [&] {
            return !log_lines(scene, {"reason=" + reason + " ", "destination=" + dest.text() + " "})
                        .empty();
        },
        "finding " + reason);
}

} // namespace ballast::test

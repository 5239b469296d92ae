// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/short_of_ports.h"

#include <algorithm>
#include <sstream>

#include <poll.h>

#include "tests/e2e/failing.h"

namespace ballast::test {

Scene& crowded_scene(const std::string& policy_text, int size) {
    auto& scene = make_scene(policy_text);
    scene.link.client.exec(
        {"sysctl", "-qw",
         fmt::format("net.ipv4.ip_local_port_range={} {}", first_port, first_port + size - 1)});
    return scene;
}

/// One service, of a destination of the test's own: each daemon here sees the namespaces of all.
std::string relief_of(const std::string& name, const Dest& dest, const std::string& rungs,
                      const std::string& mode) {
    return fmt::format("[[service]]\nname = \"{}\"\nto = [\"{}\"]\n"
                       "[service.ports]\nmode = \"{}\"\nrelief = [{}]\n"
                       "source_pool = [\"10.77.0.3\", \"fd77::3\", \"fd77::1\"]\n",
                       name, dest.text(), mode, rungs);
}

Scene& calm_scene() {
    return crowded_scene(limit_policy(100'000, "observe"), few_ports);
}

/// What `ballast ports` says of a relief for the destination; null: it is not in force.
int port_of(const Fd& socket) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    need(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0,
         "getsockname");
    return ntohs(
        reinterpret_cast<const sockaddr_in*>(&name)->sin_port); // at the same place in both
}

Json relief_row(Scene& scene, const std::string& relief, const Dest& dest) {
    const auto reliefs = scene.ballastd.get("/v1/ports").at("reliefs");
    for (const auto& row : reliefs)
        if (row.at("relief") == relief && row.at("endpoint") == dest.text())
            return row;
    return nullptr;
}

void answer(Listener& listener) {
    answer(std::vector{&listener});
}

namespace {

/// What is readable of `open` has ended; what is readable of `listeners` is taken.
void answer_once(const std::vector<Listener*>& listeners, std::vector<Fd>& open) {
    std::vector<pollfd> polled;
    for (const auto* one : listeners)
        polled.push_back({one->socket().get(), POLLIN, 0});
    for (const auto& one : open)
        polled.push_back({one.get(), POLLIN, 0});
    ::poll(polled.data(), polled.size(), -1);
    for (std::size_t i = open.size(); i-- > 0;)
        if (polled.at(i + listeners.size()).revents != 0)
            open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
    for (std::size_t i = 0; i < listeners.size(); ++i)
        if (polled.at(i).revents != 0)
            open.emplace_back(
                ::accept4(listeners.at(i)->socket().get(), nullptr, nullptr, SOCK_CLOEXEC));
}

} // namespace

void answer(const std::vector<Listener*>& listeners) {
    auto& server = make<Process>();
    server.fork([listeners] {
        std::vector<Fd> open;
        for (;;)
            answer_once(listeners, open);
        return 0;
    });
}

Process& churn(const Netns& from, const std::vector<Dest>& dests, int per_second,
               AtTheWall at_the_wall) {
    auto& client = make<Process>();
    client.fork([&from, dests, per_second, at_the_wall] {
        const std::chrono::microseconds pause(1'000'000 / per_second);
        auto at = Clock::now();
        for (long i = 0;; ++i) {
            // what a busy machine held up is not made up for at once
            at = std::max(at + pause, Clock::now() - std::chrono::milliseconds(200));
            while (Clock::now() < at)
                ::poll(nullptr, 0, 1);
            const auto made = attempt(from, dests.at(static_cast<std::size_t>(i) % dests.size()));
            if (made.error != 0 && at_the_wall == AtTheWall::ends)
                return made.error;
        }
    });
    return client;
}

std::string port_range(const Netns& where) {
    std::istringstream words(where.exec({"sysctl", "-n", "net.ipv4.ip_local_port_range"}));
    int low = 0, high = 0;
    words >> low >> high;
    return fmt::format("{} {}", low, high);
}

Json port_rows(Scene& scene) {
    return scene.ballastd.get("/v1/ports?limit=10000").at("ports");
}

Json port_row(Scene& scene, const Dest& dest) {
    const auto all = port_rows(scene);
    for (const auto& row : all)
        if (row.at("endpoint") == dest.text())
            return row;
    return nullptr;
}

std::vector<std::string> findings_of(Scene& scene, const std::string& reason, const Dest& dest) {
    std::vector<std::string> lines;
    for (const auto& line : log_lines(scene, {"finding reason=" + reason}))
        if (line.find(" destination=" + dest.text() + " ") != std::string::npos)
            lines.push_back(line);
    return lines;
}

} // namespace ballast::test

// SPDX-License-Identifier: Apache-2.0
// Promise (docs/listeners.md): a load balancer learns that a server falls behind before it drops
// anything, and that it is well again: by GET /ready, and HAProxy by its agent-check.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"
#include "tests/harness/http.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/wait.h"

#include <sys/socket.h>
#include <sys/un.h>

namespace test_load_balancer {

using namespace ballast;
using namespace ballast::test;

namespace {

HttpAnswer ask(Scene& scene, const std::string& target) {
    return http_request(scene.ballastd.runtime_dir() + "/query.sock", "GET", target);
}

Json ready(Scene& scene, const Dest& dest) {
    const auto url = fmt::format("/ready/{}?netns={}", dest.text(), scene.link.server.inode());
    return Json::parse(ask(scene, url).body);
}

int percent(Scene& scene, const Dest& dest) {
    return ready(scene, dest).at("percent").get<int>();
}

std::vector<Fd> wait_at(Scene& scene, const Dest& dest, int count) {
    std::vector<Fd> made;
    for (int i = 0; i < count; ++i)
        made.push_back(std::move(attempt(scene.link.client, dest).socket));
    return made;
}

/// A server of ten that is full but drops nothing, and takes them all after a while.
void falls_and_rises_again(const Family& family) {
    auto& scene = make_scene(limit_policy(100'000, "observe"));
    auto& listener = make<Listener>(scene.link.server, Dest{family.server, 0}, 20);
    const auto& dest = listener.dest();
    await([&] { return percent(scene, dest) == 100; }, "it is ready");
    const auto open = wait_at(scene, dest, 18);
    await([&] { return percent(scene, dest) < 50; }, "it gets less");
    await([&] { return !ready(scene, dest).at("ready").get<bool>(); }, "it is not ready");
    const auto row = ready(scene, dest);
    check(!row.at("why").is_null(), row.dump());
    check_equal(scene.ballastd.status().at("listeners").at("overflows").get<int>(), 0, "drops");
    for (std::size_t i = 0; i < open.size(); ++i)
        (void)listener.accept();
    await([&] { return percent(scene, dest) >= 10; }, "it gets more");
    await([&] { return ready(scene, dest).at("ready").get<bool>(); }, "it is ready again");
    await([&] { return percent(scene, dest) == 100; }, "it gets all");
}

void knows_who_does_not_listen() {
    auto& scene = make_scene(limit_policy(100'000, "observe"));
    const auto answer = ask(scene, "/ready/192.0.2.1:9");
    check_equal(answer.status, 503, answer.body);
    check_equal(Json::parse(answer.body).at("why").get<std::string>(),
                std::string("nobody listens"), answer.body);
}

std::uint16_t free_port() {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof name;
    need(::bind(socket.get(), reinterpret_cast<sockaddr*>(&name), length) == 0 &&
             ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &length) == 0,
         "find a free port");
    return ntohs(name.sin_port);
}

/// What HAProxy's own socket answers to a command.
std::string ask_haproxy(const std::string& path, const std::string& command) {
    const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0)
        return "";
    const std::string line = command + "\n";
    need(::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) > 0, "send");
    std::string answer;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::recv(socket.get(), buffer, sizeof buffer, 0)) > 0;)
        answer.append(buffer, static_cast<std::size_t>(got));
    return answer;
}

/// A real one, with two servers of which one falls behind.
void haproxy_moves_load_away() {
    const auto port = free_port();
    auto& scene = make_scene(policy({}, fmt::format("agent_listen = \"127.0.0.1:{}\"", port)));
    const auto& family = families.front();
    auto& slow = make<Listener>(scene.link.server, Dest{family.server, 0}, 20);
    auto& well = make<Listener>(scene.link.server, Dest{family.server, 0}, 20);
    const auto directory = make_temp_dir();
    const auto server = [&](const char* name, const Dest& dest) {
        return fmt::format("  server {} {} weight 100 agent-check agent-addr 127.0.0.1 agent-port "
                           "{} agent-inter 200ms agent-send \"{} {}\\n\"\n",
                           name, dest.text(), port, dest.text(), scene.link.server.inode());
    };
    write_file(directory + "/haproxy.cfg",
               fmt::format("global\n  stats socket {}/stats level admin\n"
                           "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n"
                           "  timeout server 1m\nbackend api\n{}{}",
                           directory, server("slow", slow.dest()), server("well", well.dest())));
    auto& haproxy = make<Process>();
    haproxy.start({.argv = {"haproxy", "-db", "-f", directory + "/haproxy.cfg"},
                   .output = directory + "/output"});
    Registry::current().on_failure(
        [directory] { note("haproxy: " + read_file(directory + "/output")); });
    const auto weight = [&](const char* name) {
        const auto answer =
            ask_haproxy(directory + "/stats", fmt::format("get weight api/{}", name));
        return answer.empty() ? -1 : std::atoi(answer.c_str());
    };
    await([&] { return weight("slow") == 100 && weight("well") == 100; }, "both have all");
    const auto open = wait_at(scene, slow.dest(), 18);
    await([&] { return weight("slow") >= 0 && weight("slow") <= 25; }, "load moves away");
    check_equal(weight("well"), 100, "from the one alone");
    await([&] { return weight("slow") == 0; }, "nobody accepts");
    for (std::size_t i = 0; i < open.size(); ++i)
        (void)slow.accept();
    await([&] { return weight("slow") >= 50; }, "load comes back");
    // maintenance is the operator's
    check_equal(ask_haproxy(directory + "/stats", "set server api/well state maint"),
                std::string("\n"), "maintenance");
    await([&] { return weight("slow") == 100; }, "more checks");
    const auto state = ask_haproxy(directory + "/stats", "show stat");
    check(state.find("MAINT") != std::string::npos, "it is still in maintenance");
}

} // namespace

TEST_GROUP(load_balancer) {
    return Suite()
        .each(families, "falls and rises again", falls_and_rises_again)
        .add("knows who does not listen", knows_who_does_not_listen)
        .host_add("HAProxy moves load away", haproxy_moves_load_away)
        .run_at_once("load_balancer", 2);
}

} // namespace test_load_balancer

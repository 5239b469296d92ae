// SPDX-License-Identifier: Apache-2.0
// The server as a peer meets it: access, sockets, limits of size and number, the end.
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <deque>

#include <nlohmann/json.hpp>

#include "daemon/api/message.h"
#include "tests/api/fake_daemon.h"
#include "tests/harness/check.h"
#include "tests/harness/group.h"
#include "tests/harness/registry.h"
#include "tests/harness/suite.h"

namespace test_server {

namespace {

using namespace ballast;
using namespace ballast::test;
using nlohmann::json;

constexpr std::size_t kMaxConnections = 64;
constexpr std::chrono::milliseconds kIdleTimeout{10'000};

FakeDaemon& calm() {
    return make<FakeDaemon>(Scene::calm);
}

std::string error_code(const cli::HttpReply& reply) {
    const json body = json::parse(reply.body, nullptr, false);
    return body.is_object() ? body.at("error").at("code").get<std::string>() : reply.body;
}

struct Access {
    std::string name;
    std::string method;
    std::string path;
    bool control;
    long status;
    std::string code; ///< of the error
};

const std::vector<Access> kAccess{
    {"no such path", "GET", "/v1/nothing", true, 404, "no_such_path"},
    {"root", "GET", "/", false, 404, "no_such_path"},
    {"limits without target", "PUT", "/v1/limits/", true, 404, "no_such_path"},
    {"method of another path", "DELETE", "/v1/status", true, 405, "method_not_allowed"},
    {"method of another path, read only", "POST", "/v1/health", false, 405, "method_not_allowed"},
    {"get of a write", "GET", "/v1/reload", true, 405, "method_not_allowed"},
    {"put, read only", "PUT", "/v1/limits/cache", false, 403, "read_only"},
    {"delete, read only", "DELETE", "/v1/limits/cache", false, 403, "read_only"},
    {"breakers without endpoint", "PUT", "/v1/breakers/", true, 404, "no_such_path"},
    {"force, read only", "PUT", "/v1/breakers/10.0.0.5%3A5432", false, 403, "read_only"},
    {"stop, read only", "POST", "/v1/stop", false, 403, "read_only"},
    {"given twice", "GET", "/v1/health?limit=1&limit=2", false, 400, "bad_parameter"},
};

void refuses(const Access& row) {
    const auto reply = calm().ask(row.method, row.path, "", row.control);
    check_equal(reply.status, row.status, reply.body);
    check_equal(error_code(reply), row.code, "error code");
}

void unknown_parameter_is_named() {
    const auto reply = calm().ask("GET", "/v1/flows?colour=red");
    check_equal(reply.status, 400L, "status");
    const json error = json::parse(reply.body).at("error");
    check_equal(error.at("message").get<std::string>(),
                std::string(R"(unknown parameter "colour")"), "message");
    check_equal(error.at("hint").get<std::string>(),
                std::string("known: limit dest service local state direction"), "hint");
}

mode_t mode_of(const std::string& path) {
    struct stat file {};
    need(::stat(path.c_str(), &file) == 0, path);
    return file.st_mode & 07777;
}

void sockets_have_their_modes() {
    const auto& daemon = calm();
    check_equal(mode_of(daemon.socket(true)), mode_t{0600}, "mode of control.sock");
    check_equal(mode_of(daemon.socket(false)), mode_t{0660}, "mode of query.sock");
}

void head_has_no_body() {
    const auto reply = calm().ask("HEAD", "/v1/status");
    check_equal(reply.status, 200L, "status");
    check_equal(reply.body, std::string(), "body");
}

std::string myself() {
    const passwd* user = ::getpwuid(::geteuid());
    return user != nullptr ? fmt::format("{} (uid {})", user->pw_name, ::geteuid())
                           : fmt::format("uid {}", ::geteuid());
}

void set_by_is_the_peer() {
    const auto& daemon = calm();
    const auto put = daemon.ask("PUT", "/v1/limits/cache", R"({"mode": "enforce"})");
    const std::string wanted = myself();
    check_equal(json::parse(put.body).at("override").at("set_by").get<std::string>(), wanted,
                put.body);
    const json limits = json::parse(daemon.ask("GET", "/v1/limits").body);
    check_equal(limits.at("overrides").at(1).at("set_by").get<std::string>(), wanted, "stored");
}

void forced_by_is_the_peer() {
    const auto& daemon = calm();
    const std::string path = "/v1/breakers/10.0.0.5%3A5432";
    const json put = json::parse(daemon.ask("PUT", path, R"({"force": "open"})").body);
    check_equal(put.at("order").at("by").get<std::string>(), myself(), put.dump());
    const json breakers = json::parse(daemon.ask("GET", "/v1/breakers").body).at("breakers");
    check_equal(breakers.at(0).at("forced_by").get<std::string>(), myself(), breakers.dump());
    const json taken = json::parse(daemon.ask("DELETE", path).body);
    check_equal(taken.at("order").at("by").get<std::string>(), myself(), taken.dump());
    check(taken.at("breakers").at(0).at("forced").is_null(), "nothing is forced: " + taken.dump());
}

struct Size {
    std::string name;
    std::size_t bytes;
    long status;
};

const std::vector<Size> kSizes{
    {"as much as is taken", api::kMaxBodyBytes, 400}, // blanks are no JSON
    {"one byte more", api::kMaxBodyBytes + 1, 413},
    {"ten times as much", api::kMaxBodyBytes * 10, 413},
    {"more than is read", std::size_t{4} * 1024 * 1024, 413},
};

void bounds_bodies(const Size& row) {
    auto& daemon = calm();
    const auto reply = daemon.ask("PUT", "/v1/limits/cache", std::string(row.bytes, ' '));
    check_equal(reply.status, row.status, reply.body);
    check_equal(daemon.ask("GET", "/v1/status").status, 200L, "status afterwards");
}

/// A connection that says nothing until it is told to.
struct Raw {
    Fd fd;

    explicit Raw(const std::string& path) : fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        need(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0,
             path);
    }

    void say(std::string_view text) const {
        need(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                 static_cast<ssize_t>(text.size()),
             "send");
    }

    [[nodiscard]] bool answered(std::chrono::milliseconds at_most) const {
        return wait_fd(fd.get(), POLLIN, Clock::now() + at_most);
    }
};

void bounds_connections() {
    const auto& daemon = calm();
    auto& idle = make<std::deque<Raw>>();
    for (std::size_t i = 0; i < kMaxConnections; ++i)
        idle.emplace_back(daemon.socket(false));
    const auto& further = make<Raw>(daemon.socket(false));
    further.say("GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    check(!further.answered(std::chrono::milliseconds(200)), "the 65th connection has to wait");
    check_equal(daemon.ask("GET", "/v1/status").status, 200L, "control.sock has its own places");
    idle.pop_front();
    // well before the others time out, which would let it in too
    check(further.answered(kIdleTimeout / 2), "it is served once a place is free");
}

void survives_broken_requests() {
    const auto& daemon = calm();
    Raw(daemon.socket(true))
        .say("PUT /v1/limits/cache HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{");
    Raw(daemon.socket(true)).say("nonsense\r\n\r\n");
    Raw(daemon.socket(true)).say(std::string(100'000, 'a'));
    check_equal(daemon.ask("GET", "/v1/status").status, 200L, "status afterwards");
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/// A port that was free a moment ago.
std::uint16_t free_port() {
    const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    need(::bind(fd.get(), generic, size) == 0 && ::getsockname(fd.get(), generic, &size) == 0,
         "bind to a free port");
    return ntohs(address.sin_port);
}

/// The first line of the answer.
std::string ask_tcp(std::uint16_t port, const std::string& what) {
    const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    need(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0,
         "connect to the TCP listener");
    const std::string text = what + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    need(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0, "send");
    check(wait_fd(fd.get(), POLLIN, Clock::now() + patience()), "an answer over TCP");
    std::string answer(100, '\0');
    answer.resize(static_cast<std::size_t>(::recv(fd.get(), answer.data(), answer.size(), 0)));
    return answer.substr(0, answer.find('\r'));
}

void tcp_is_read_only() {
    const std::uint16_t port = free_port();
    make<FakeDaemon>(Scene::calm, fmt::format("127.0.0.1:{}", port));
    check_equal(ask_tcp(port, "GET /metrics"), std::string("HTTP/1.1 200 OK"), "GET /metrics");
    check_equal(ask_tcp(port, "GET /v1/health"), std::string("HTTP/1.1 200 OK"), "GET health");
    check_equal(ask_tcp(port, "GET /v1/breakers"), std::string("HTTP/1.1 200 OK"), "GET breakers");
    check_equal(ask_tcp(port, "DELETE /v1/breakers/10.0.0.5:5432"),
                std::string("HTTP/1.1 403 Forbidden"), "DELETE breaker");
    check_equal(ask_tcp(port, "POST /v1/reload"), std::string("HTTP/1.1 403 Forbidden"),
                "POST reload");
}

/// Both answers that wait for a sweep, and others that come meanwhile.
void what_waits_holds_nobody() {
    for (const auto* path : {"/v1/sweep", "/v1/reload"}) {
        auto& daemon = make<FakeDaemon>(Scene::sweeping);
        auto& waiting = make<Process>();
        waiting.fork([&] { return daemon.ask("POST", path).status == 200 ? 0 : 1; });
        check(!waiting.wait(std::chrono::milliseconds(100)), "it waits");
        for (int i = 0; i < 3; ++i)
            check_equal(daemon.ask("GET", "/v1/status").status, 200L, "status meanwhile");
        check_equal(waiting.wait().value_or(-1), 0, path);
    }
}

/// A connection that waits is answered by the end, too.
void stop_ends_what_waits() {
    auto& daemon = make<FakeDaemon>(Scene::sweeping);
    auto& waiting = make<Process>();
    waiting.fork([&] { return daemon.ask("POST", "/v1/sweep").status == 200 ? 0 : 1; });
    check(!waiting.wait(std::chrono::milliseconds(100)), "it waits");
    check_equal(daemon.ask("POST", "/v1/stop").status, 200L, "stop");
    check_equal(daemon.process().wait().value_or(-1), 0, "exit status");
}

void stop_answers_then_ends() {
    auto& daemon = calm();
    const auto reply = daemon.ask("POST", "/v1/stop");
    check_equal(reply.status, 200L, reply.body);
    check_equal(json::parse(reply.body).at("pid").get<pid_t>(), daemon.process().pid(), "pid");
    check_equal(daemon.process().wait().value_or(-1), 0, "exit status");
    check(::access(daemon.socket(true).c_str(), F_OK) != 0, "control.sock is gone");
    check(::access(daemon.socket(false).c_str(), F_OK) != 0, "query.sock is gone");
}

} // namespace

TEST_GROUP(server) {
    Suite suite;
    suite.each(kAccess, "refuses", refuses);
    suite.add("unknown_parameter_is_named", unknown_parameter_is_named);
    suite.add("sockets_have_their_modes", sockets_have_their_modes);
    suite.add("head_has_no_body", head_has_no_body);
    suite.add("set_by_is_the_peer", set_by_is_the_peer);
    suite.add("forced_by_is_the_peer", forced_by_is_the_peer);
    suite.each(kSizes, "bounds_bodies", bounds_bodies);
    suite.add("bounds_connections", bounds_connections);
    suite.add("survives_broken_requests", survives_broken_requests);
    suite.add("tcp_is_read_only", tcp_is_read_only);
    suite.add("what_waits_holds_nobody", what_waits_holds_nobody);
    suite.add("stop_ends_what_waits", stop_ends_what_waits);
    suite.add("stop_answers_then_ends", stop_answers_then_ends);
    return suite.run("server");
}

} // namespace test_server

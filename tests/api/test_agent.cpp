// SPDX-License-Identifier: Apache-2.0
// HAProxy's agent-check as ballastd answers it: to a line, and over a socket, whatever comes there.
#include "daemon/api/agent.h"

#include <cerrno>
#include <chrono>

#include <netinet/in.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "daemon/util/event_loop.h"
#include "daemon/util/fd.h"
#include "tests/api/fake_backend.h"
#include "tests/harness/check.h"
#include "tests/harness/group.h"
#include "tests/harness/suite.h"

namespace test_agent {

namespace {

using namespace ballast;
using namespace ballast::test;
using std::chrono::steady_clock;

struct Line {
    const char* name;
    std::string line;
    const char* wanted;
};

const std::vector<Line> lines{
    {"a listener that is well", "127.0.0.1:6379", "up 100%\n"},
    {"one that is full", "10.0.0.2:5432", "up 1%\n"},
    {"one that nobody accepts from", "0.0.0.0:8080", "up 0%\n"},
    {"with its namespace", "127.0.0.1:6379 4026531840", "up 100%\n"},
    {"with a carriage return", "127.0.0.1:6379\r", "up 100%\n"},
    {"IPv6", "[::]:443", "up 0%\n"},
    {"nobody listens", "203.0.113.9:80", "failed#nobody listens on 203.0.113.9:80\n"},
    {"nothing", "", "\n"},
    {"a name", "orders-db:80", "\n"},
    {"no port", "10.0.0.2", "\n"},
    {"no namespace", "127.0.0.1:6379 me", "\n"},
    {"a namespace and more", "127.0.0.1:6379 1 2", "\n"},
    {"a namespace too large", "127.0.0.1:6379 99999999999", "\n"},
    {"HTTP", "GET / HTTP/1.1", "\n"},
    {"bytes", std::string("\0\xff\n\x1b", 4), "\n"},
};

void answers(const Line& line) {
    FakeBackend backend(Scene::night, [] {});
    check_equal(api::agent_answer(line.line, backend), std::string(line.wanted), line.name);
}

/// An agent and the loop that it lives in.
struct Served {
    FakeBackend backend{Scene::night, [] {}};
    EventLoop loop = EventLoop::create().value();
    api::Agent agent{loop.get(), backend};
    std::uint16_t port = 0;

    Served() {
        for (port = 20'000; port < 30'000; ++port)
            if (agent.listen(fmt::format("127.0.0.1:{}", port)))
                return;
        fail_test("a free port");
    }

    [[nodiscard]] Fd client() const {
        Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in name{};
        name.sin_family = AF_INET;
        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        name.sin_port = htons(port);
        check(::connect(socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) == 0,
              "connect()");
        return socket;
    }

    /// What it sends until it closes.
    std::string answer(const Fd& socket) const {
        std::string text;
        const auto deadline = steady_clock::now() + std::chrono::seconds(20);
        while (steady_clock::now() < deadline) {
            sd_event_run(loop.get(), 10'000);
            char buffer[256];
            const auto got = ::recv(socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
            if (got > 0)
                text.append(buffer, static_cast<std::size_t>(got));
            else if (got == 0 || errno != EAGAIN)
                return text;
        }
        return text + "(open)";
    }
};

void say(const Fd& socket, std::string_view text) {
    check(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
              static_cast<ssize_t>(text.size()),
          "send()");
}

void a_line_may_come_in_pieces() {
    Served served;
    const Fd socket = served.client();
    say(socket, "127.0.0.");
    for (int i = 0; i < 5; ++i)
        sd_event_run(served.loop.get(), 1'000);
    say(socket, "1:6379\n");
    check_equal(served.answer(socket), std::string("up 100%\n"), "answer");
}

void an_end_is_an_end_of_line() {
    Served served;
    const Fd socket = served.client();
    say(socket, "127.0.0.1:6379");
    ::shutdown(socket.get(), SHUT_WR);
    check_equal(served.answer(socket), std::string("up 100%\n"), "answer");
}

void who_says_too_much_or_nothing_is_closed() {
    Served served;
    const Fd silent = served.client();
    const Fd loud = served.client();
    say(loud, std::string(5'000, 'x'));
    const auto answer = served.answer(loud);
    check(answer.empty() || answer == "\n", answer);
    check_equal(served.answer(silent), std::string(), "to silence");
}

void many_are_too_many() {
    Served served;
    std::vector<Fd> open;
    for (int i = 0; i < 64; ++i) {
        open.push_back(served.client());
        sd_event_run(served.loop.get(), 10'000);
    }
    const Fd more = served.client();
    check_equal(served.answer(more), std::string(), "to the 65th");
    say(open.front(), "127.0.0.1:6379\n");
    check_equal(served.answer(open.front()), std::string("up 100%\n"), "to the first");
}

void it_moves_and_closes() {
    Served served;
    const auto before = served.port;
    for (++served.port; served.port < 30'000; ++served.port)
        if (served.agent.listen(fmt::format("127.0.0.1:{}", served.port)))
            break;
    check(served.port != before, "another port");
    const Fd socket = served.client();
    say(socket, "127.0.0.1:6379\n");
    check_equal(served.answer(socket), std::string("up 100%\n"), "there");
    check(!served.agent.listen("192.0.2.1:9556").has_value(), "no other address");
    check(served.agent.listen("").has_value(), "nowhere");
}

} // namespace

TEST_GROUP(agent) {
    return Suite()
        .each(lines, "answers", answers)
        .add("a line may come in pieces", a_line_may_come_in_pieces)
        .add("an end is an end of line", an_end_is_an_end_of_line)
        .add("who says too much or nothing is closed", who_says_too_much_or_nothing_is_closed)
        .add("many are too many", many_are_too_many)
        .add("it moves and closes", it_moves_and_closes)
        .run("agent");
}

} // namespace test_agent

// SPDX-License-Identifier: Apache-2.0
#include "tests/api/fake_daemon.h"

#include <array>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "daemon/api/server.h"
#include "daemon/util/event_loop.h"
#include "tests/api/fake_backend.h"
#include "tests/harness/check.h"
#include "tests/harness/sandbox.h"

namespace ballast::test {
namespace {

/// Serves until the backend is asked to stop; writes one byte to `ready` when it begins.
int serve(Scene scene, const std::string& runtime_dir, const std::string& tcp, int ready) {
    auto loop = EventLoop::create();
    check(loop.has_value(), "the event loop starts");
    FakeBackend backend(scene, [&loop] { loop->stop(0); });
    auto server =
        api::Server::start(loop->get(), backend, {.runtime_dir = runtime_dir, .now = scene_now});
    check(server.has_value(), server ? "" : server.error().text());
    const auto listening = (*server)->listen_tcp(tcp);
    check(listening.has_value(), listening ? "" : listening.error().text());
    need(::write(ready, "r", 1) == 1, "write to the test");
    return loop->run().value_or(1);
}

} // namespace

FakeDaemon::FakeDaemon(Scene scene, const std::string& tcp) : runtime_dir_(make_temp_dir()) {
    std::array<int, 2> ends{};
    need(::pipe2(ends.data(), O_CLOEXEC) == 0, "pipe2");
    const Fd ours(ends[0]);
    Fd theirs(ends[1]);
    process_.fork([&] { return serve(scene, runtime_dir_, tcp, theirs.get()); });
    theirs.reset();
    char byte = 0;
    check(wait_fd(ours.get(), POLLIN, Clock::now() + patience()) &&
              ::read(ours.get(), &byte, 1) == 1,
          "the fake daemon serves");
}

std::string FakeDaemon::socket(bool control) const {
    return runtime_dir_ + (control ? "/control.sock" : "/query.sock");
}

cli::HttpReply FakeDaemon::ask(const std::string& method, const std::string& path,
                               const std::string& body, bool control) const {
    const auto reply = cli::http_exchange(socket(control), method, path, body);
    check(reply.has_value(), reply ? "" : reply.error().text());
    return *reply;
}

} // namespace ballast::test

// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/kept_alive.h"

#include <netinet/tcp.h>

namespace ballast::test {

namespace {

int option(const Fd& socket, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    need(::getsockopt(socket.get(), level, name, &value, &length) == 0, "getsockopt");
    return value;
}

} // namespace

std::string KeptAlive::text() const {
    return fmt::format("on={} idle={} interval={} count={} user_timeout={}", on, idle_s, interval_s,
                       count, user_timeout_ms);
}

KeptAlive keepalive_of(const Fd& socket) {
    return {.on = option(socket, SOL_SOCKET, SO_KEEPALIVE),
            .idle_s = option(socket, IPPROTO_TCP, TCP_KEEPIDLE),
            .interval_s = option(socket, IPPROTO_TCP, TCP_KEEPINTVL),
            .count = option(socket, IPPROTO_TCP, TCP_KEEPCNT),
            .user_timeout_ms = option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT)};
}

std::string keepalive_policy(const std::string& keepalive, const std::string& start,
                             const std::string& mode) {
    return policy({{.mode = mode}}) +
           fmt::format("{}[service.keepalive]\n{}\n",
                       start.empty() ? "" : fmt::format("keepalive_start = \"{}\"\n", start),
                       keepalive);
}

void check_same(const KeptAlive& got, const KeptAlive& wanted, std::string_view what, Where where) {
    if (!(got == wanted))
        fail_test(fmt::format("{}: {}, wanted {}", what, got.text(), wanted.text()), where);
}

void check_ballasts(const KeptAlive& got, int idle_s, std::string_view what, Where where) {
    const int least = idle_s - (idle_s + 4) / 5;
    if (got.on != 1 || got.idle_s > idle_s || got.idle_s < least)
        fail_test(fmt::format("{}: {}, wanted idle {}..{}", what, got.text(), least, idle_s),
                  where);
}

} // namespace ballast::test

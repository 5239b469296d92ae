// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cerrno>
#include <cstdio>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/commands.h"
#include "tests/bench/sockets.h"

namespace ballast::bench {
namespace {

// An event's data is the descriptor; that of a listener has this bit.
constexpr std::uint64_t kListener = 1ULL << 32;

Result<void> watch(const Fd& epoll, int fd, std::uint64_t kind) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP;
    event.data.u64 = kind | static_cast<std::uint32_t>(fd);
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0)
        return fail(Error::system("epoll_ctl(EPOLL_CTL_ADD)", errno));
    return {};
}

/// What was reset while it waited is accepted like any other and ends with its first event.
Result<void> accept_all(const Fd& epoll, int listener) {
    for (;;) {
        Fd accepted(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!accepted && (errno == EAGAIN || errno == ECONNABORTED))
            return {};
        if (!accepted)
            return fail(Error::system("accept()", errno));
        auto watched = watch(epoll, accepted.get(), 0);
        if (!watched)
            return watched;
        (void)accepted.release(); // from here epoll's event data owns it
    }
}

/// Answers a request; closes then, and at the end of the stream. Whoever closes first keeps the
/// TIME_WAIT, so that is the server, lest it wear out the client's ports.
void answer_or_close(int fd) {
    std::array<char, 4096> request{};
    const ssize_t got = ::read(fd, request.data(), request.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        (void)!::send(fd, request.data(), 1, MSG_NOSIGNAL);
    ::close(fd);
}

Result<void> handle(const Fd& epoll, const epoll_event& event) {
    const int fd = static_cast<int>(event.data.u64 & 0x7fffffffU);
    if ((event.data.u64 & kListener) != 0)
        return accept_all(epoll, fd);
    answer_or_close(fd);
    return {};
}

Result<void> loop(const Fd& epoll) {
    std::array<epoll_event, 256> events{};
    for (;;) {
        const int count =
            ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), -1);
        if (count < 0 && errno != EINTR)
            return fail(Error::system("epoll_wait()", errno));
        for (int i = 0; i < count; ++i) {
            auto handled = handle(epoll, events.at(static_cast<std::size_t>(i)));
            if (!handled)
                return handled;
        }
    }
}

} // namespace

Result<void> serve(const std::vector<Endpoint>& endpoints) {
    const Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll)
        return fail(Error::system("epoll_create1()", errno));
    auto allowed = allow_open_files(endpoints.size());
    if (!allowed)
        return allowed;
    std::vector<Fd> listeners;
    for (const auto& endpoint : endpoints) {
        auto listener = listen_on(endpoint);
        if (!listener)
            return fail(listener.error());
        auto watched = watch(epoll, listener->get(), kListener);
        if (!watched)
            return watched;
        listeners.push_back(std::move(*listener));
    }
    std::puts(R"({"serving":true})");
    (void)std::fflush(stdout);
    return loop(epoll);
}

} // namespace ballast::bench

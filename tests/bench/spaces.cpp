// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/bench/commands.h"
#include "tests/bench/sockets.h"

namespace ballast::bench {
namespace {

Result<void> enter_new_namespace() {
    if (::unshare(CLONE_NEWNET) != 0)
        return fail(Error::system("unshare(CLONE_NEWNET)", errno));
    const Fd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq loopback{.ifr_ifrn = {"lo"}, .ifr_ifru = {}};
    loopback.ifr_flags = IFF_UP;
    if (!any || ::ioctl(any.get(), SIOCSIFFLAGS, &loopback) != 0)
        return fail(Error::system("set lo up", errno));
    return {};
}

/// One connection: both its ends.
Result<void> open_pair(const Fd& listener, const SocketAddress& to, std::vector<Fd>& held) {
    auto client = tcp_socket(to.family());
    if (!client)
        return fail(client.error());
    if (const int error = connect_errno(*client, to); error != 0)
        return fail(Error::system("connect()", error));
    pollfd waiting{.fd = listener.get(), .events = POLLIN, .revents = 0};
    (void)::poll(&waiting, 1, 1000);
    Fd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!server)
        return fail(Error::system("accept()", errno));
    held.push_back(std::move(*client));
    held.push_back(std::move(server));
    return {};
}

Result<void> fill_namespace(const SpacesOptions& options, std::vector<Fd>& held) {
    auto entered = enter_new_namespace();
    if (!entered)
        return entered;
    auto listener = listen_on(options.at);
    if (!listener)
        return fail(listener.error());
    const SocketAddress to(options.at);
    while (held.size() < options.sockets)
        if (auto opened = open_pair(*listener, to, held); !opened)
            return opened;
    held.push_back(std::move(*listener));
    return {};
}

/// Lives in one of the namespaces, until its parent ends.
[[noreturn]] void live(const SpacesOptions& options, int ready) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::vector<Fd> held;
    const auto filled = fill_namespace(options, held);
    if (!filled)
        fmt::print(stderr, "ballast-load: {}\n", filled.error().text());
    const char done = filled ? 1 : 0;
    if (::write(ready, &done, 1) == 1 && done)
        ::pause();
    ::_exit(1);
}

} // namespace

Result<void> spaces(const SpacesOptions& options) {
    auto allowed = allow_open_files(options.sockets + 1);
    if (!allowed)
        return allowed;
    int ends[2];
    if (::pipe(ends) != 0)
        return fail(Error::system("pipe()", errno));
    const Fd ready(ends[0]);
    const Fd done(ends[1]);
    for (std::uint32_t i = 0; i < options.count; ++i) {
        const pid_t child = ::fork();
        if (child < 0)
            return fail(Error::system("fork()", errno));
        if (child == 0)
            live(options, done.get());
    }
    for (std::uint32_t i = 0; i < options.count; ++i) {
        char is_filled = 0;
        if (::read(ready.get(), &is_filled, 1) != 1 || !is_filled)
            return fail(Error("a namespace could not be filled"));
    }
    fmt::print("{{\"namespaces\":{},\"sockets\":{}}}\n", options.count,
               std::uint64_t{options.count} * options.sockets);
    (void)std::fflush(stdout);
    ::pause();
    return {};
}

} // namespace ballast::bench

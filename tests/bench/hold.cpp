// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <unistd.h>

#include "tests/bench/commands.h"
#include "tests/bench/sockets.h"

namespace ballast::bench {
namespace {

Result<Fd> open_one(const SocketAddress& to, const HoldOptions& options, std::size_t index) {
    auto socket = tcp_socket(to.family());
    if (!socket)
        return socket;
    if (!options.from.empty()) {
        auto bound = bind_source(*socket, options.from[index % options.from.size()]);
        if (!bound)
            return fail(bound.error());
    }
    auto reset = reset_on_close(*socket);
    if (!reset)
        return fail(reset.error());
    if (const int error = connect_errno(*socket, to); error != 0)
        return fail(Error::system(
            fmt::format("connect() {} of {} to {}", index + 1, options.count, options.to.text()),
            error));
    return socket;
}

} // namespace

Result<void> hold(const HoldOptions& options) {
    auto allowed = allow_open_files(options.count);
    if (!allowed)
        return allowed;
    const SocketAddress to(options.to);
    std::vector<Fd> held;
    held.reserve(options.count);
    for (std::size_t i = 0; i < options.count; ++i) {
        auto opened = open_one(to, options, i);
        if (!opened)
            return fail(opened.error());
        held.push_back(std::move(*opened));
    }
    fmt::print("{{\"held\":{}}}\n", held.size());
    (void)std::fflush(stdout);
    ::pause();
    return {};
}

} // namespace ballast::bench

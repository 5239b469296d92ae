// SPDX-License-Identifier: Apache-2.0
// A real nginx, listening on both families of a Link's server side, that keeps connections alive.
// Each test case takes a port of its own, and so a destination of its own.
#pragma once

#include <cstdint>
#include <string>

#include "tests/harness/netns.h"
#include "tests/harness/process.h"

namespace ballast::test {

class Nginx {
public:
    static constexpr std::uint16_t first_port = 8000;
    static constexpr std::uint16_t last_port = 8019;

    /// Listens on its ports of every address in the namespace; answers GET with "ok".
    explicit Nginx(const Netns& where);
    ~Nginx();
    Nginx(const Nginx&) = delete;
    Nginx& operator=(const Nginx&) = delete;

    /// SIGKILL to all of it; returns once that is gone.
    void kill();
    /// Again, after kill().
    void start();

    /// One of its ports that it has not given before.
    std::uint16_t next_port();
    /// Requests it has answered on a port, from its access log.
    [[nodiscard]] unsigned requests(std::uint16_t port) const;

private:
    const Netns& where_;
    std::string directory_;
    Process master_;
    std::uint16_t given_ = 0;
};

} // namespace ballast::test

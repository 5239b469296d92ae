// SPDX-License-Identifier: Apache-2.0
// A real nginx, listening on both families of a Link's server side, that keeps connections alive.
#pragma once

#include <cstdint>
#include <string>

#include "tests/harness/netns.h"
#include "tests/harness/process.h"

namespace ballast::test {

class Nginx {
public:
    /// Listens on `port` of every address in `families`; answers GET with "ok".
    Nginx(const Netns& where, std::uint16_t port);
    ~Nginx();
    Nginx(const Nginx&) = delete;
    Nginx& operator=(const Nginx&) = delete;

    /// Requests it has answered, from its access log.
    [[nodiscard]] unsigned requests() const;

private:
    std::string directory_;
    Process master_;
};

} // namespace ballast::test

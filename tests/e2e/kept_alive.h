// SPDX-License-Identifier: Apache-2.0
// A socket's keepalive settings, and policies that change them.
#pragma once

#include <string>

#include "tests/e2e/scene.h"

namespace ballast::test {

/// As getsockopt() gives it: seconds, and milliseconds for the user timeout.
struct KeptAlive {
    int on = 0;
    int idle_s = 0;
    int interval_s = 0;
    int count = 0;
    int user_timeout_ms = 0;

    [[nodiscard]] std::string text() const;
    bool operator==(const KeptAlive&) const = default;
};
KeptAlive keepalive_of(const Fd& socket);

/// One service for every destination; `keepalive` are lines of its [service.keepalive].
std::string keepalive_policy(const std::string& keepalive, const std::string& start = "60s",
                             const std::string& mode = "observe");

void check_same(const KeptAlive& got, const KeptAlive& wanted, std::string_view what,
                Where where = Where::current());
/// Ballast's, with the first probe after `idle_s` or up to a fifth sooner.
void check_ballasts(const KeptAlive& got, int idle_s, std::string_view what,
                    Where where = Where::current());

} // namespace ballast::test

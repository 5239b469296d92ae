// SPDX-License-Identifier: Apache-2.0
// Waiting, always bounded: for an event on a descriptor where the kernel offers one, else by asking
// again and again until a deadline.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>

#include "tests/harness/check.h"
#include "tests/harness/sandbox.h"

namespace ballast::test {

using Clock = std::chrono::steady_clock;

/// Milliseconds until `deadline`, 0 if it is over; as poll() takes it.
int left_ms(Clock::time_point deadline);

/// True once `fd` has one of `events` (POLLIN, POLLOUT, POLLHUP ...) before the deadline.
bool wait_fd(int fd, short events, Clock::time_point deadline);

/// Asks `holds` with growing pauses of at most 100 ms until it is true or patience ends.
bool wait_until(const std::function<bool()>& holds, std::chrono::milliseconds at_most = patience());

/// Waits until `get()` equals `wanted`; fails the test with the last value otherwise.
template <typename Get, typename Wanted>
void await_equal(Get get, const Wanted& wanted, std::string_view what,
                 Where where = Where::current()) {
    auto last = get();
    if (!wait_until([&] { return (last = get()) == wanted; }))
        fail_test(fmt::format("waited in vain for {}: last {}, wanted {}", what, last, wanted),
                  where);
}

/// Waits until `holds()`; fails the test otherwise.
void await(const std::function<bool()>& holds, std::string_view what,
           Where where = Where::current());

} // namespace ballast::test

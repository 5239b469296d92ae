// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/wait.h"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <thread>

namespace ballast::test {

using std::chrono::milliseconds;

int left_ms(Clock::time_point deadline) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, 1'000'000));
}

bool wait_fd(int fd, short events, Clock::time_point deadline) {
    pollfd entry{fd, events, 0};
    for (;;) {
        const int ready = ::poll(&entry, 1, left_ms(deadline));
        if (ready >= 0 || errno != EINTR)
            return ready > 0;
    }
}

bool wait_until(const std::function<bool()>& holds, milliseconds at_most) {
    const auto deadline = Clock::now() + at_most;
    milliseconds pause(1);
    for (;;) {
        if (holds())
            return true;
        if (Clock::now() >= deadline)
            return false;
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, milliseconds(100));
    }
}

void await(const std::function<bool()>& holds, std::string_view what, Where where) {
    if (!wait_until(holds))
        fail_test(fmt::format("waited in vain for: {}", what), where);
}

} // namespace ballast::test

// SPDX-License-Identifier: Apache-2.0
#include "daemon/util/net_namespace.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <sched.h>

#include "daemon/util/fd.h"

namespace ballast {

namespace {

/// Where the thread belongs; it is back there when this ends.
class Home {
public:
    explicit Home(Fd space) : space_(std::move(space)) {}
    ~Home() {
        if (::setns(space_.get(), CLONE_NEWNET) == 0)
            return;
        std::perror("ballast: cannot return to the own network namespace: setns");
        std::abort();
    }
    Home(const Home&) = delete;
    Home& operator=(const Home&) = delete;

private:
    Fd space_;
};

} // namespace

Result<void> in_net_namespace(int netns_fd, const std::function<void()>& act) {
    constexpr auto own = "/proc/thread-self/ns/net";
    Fd space(::open(own, O_RDONLY | O_CLOEXEC));
    if (!space)
        return fail(Error::system(fmt::format("open {}", own), errno));
    if (::setns(netns_fd, CLONE_NEWNET))
        return fail(Error::system("setns into it", errno));
    const Home home(std::move(space));
    act();
    return {};
}

} // namespace ballast

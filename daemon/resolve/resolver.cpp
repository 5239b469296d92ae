// SPDX-License-Identifier: Apache-2.0
#include "daemon/resolve/resolver.h"

#include <algorithm>
#include <utility>

#include <poll.h>

#include "daemon/util/duration.h"

namespace ballast {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Result<std::unique_ptr<Resolver>> Resolver::start(EventLoop& loop, Heard heard) {
    auto worker = Worker::start();
    if (!worker)
        return fail(worker.error());
    std::unique_ptr<Resolver> made(new Resolver(std::move(*worker), std::move(heard)));
    Resolver* const self = made.get();
    auto readable =
        loop.on_readable(self->worker_.readable(), [self] { self->heard_(self->worker_.take()); });
    if (!readable)
        return fail(readable.error());
    made->readable_ = std::move(*readable);
    return made;
}

Result<std::vector<Lookup>> look_up_all(const std::vector<std::string>& hosts, milliseconds at_most,
                                        Worker::LookUp look_up) {
    auto worker = Worker::start(std::move(look_up));
    if (!worker)
        return fail(worker.error());
    worker->ask(hosts);
    std::vector<Lookup> out;
    const auto deadline = steady_clock::now() + at_most;
    while (out.size() < hosts.size()) {
        const auto left =
            std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now()).count();
        pollfd entry{worker->readable(), POLLIN, 0};
        if (left <= 0 || ::poll(&entry, 1, static_cast<int>(left)) == 0)
            break;
        for (Lookup& found : worker->take())
            out.push_back(std::move(found));
    }
    for (std::size_t i = out.size(); i < hosts.size(); ++i) // they are done in order
        out.push_back({hosts[i], {}, fmt::format("no answer within {}", duration_text(at_most))});
    return out;
}

} // namespace ballast

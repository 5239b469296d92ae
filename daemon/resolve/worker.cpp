// SPDX-License-Identifier: Apache-2.0
#include "daemon/resolve/worker.h"

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/util/fd.h"

namespace ballast {

struct Worker::Shared {
    std::mutex mutex;
    std::condition_variable asked;
    std::deque<std::string> hosts;
    std::vector<Lookup> done;
    bool stop = false;
    LookUp look_up;
    Fd event;

    void work();
};

void Worker::Shared::work() {
    for (std::unique_lock lock(mutex);;) {
        asked.wait(lock, [this] { return stop || !hosts.empty(); });
        if (stop)
            return;
        const std::string host = std::move(hosts.front());
        hosts.pop_front();
        lock.unlock();
        Lookup found = look_up(host);
        lock.lock();
        done.push_back(std::move(found));
        ::eventfd_write(event.get(), 1); // fails only where it is readable already
    }
}

Result<Worker> Worker::start(LookUp look_up) {
    auto shared = std::make_shared<Shared>();
    shared->look_up = std::move(look_up);
    shared->event = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!shared->event)
        return fail(Error::system("create an eventfd for the resolver", errno));
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // the event loop takes them
    int error = 0;
    try {
        std::thread([shared] { shared->work(); }).detach();
    } catch (const std::system_error& caught) {
        error = caught.code().value();
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0)
        return fail(Error::system("start the thread that resolves names", error));
    return Worker(std::move(shared));
}

Worker::~Worker() {
    if (!shared_)
        return;
    const std::lock_guard lock(shared_->mutex);
    shared_->stop = true;
    shared_->asked.notify_one();
}

void Worker::ask(const std::vector<std::string>& hosts) {
    const std::lock_guard lock(shared_->mutex);
    shared_->hosts.insert(shared_->hosts.end(), hosts.begin(), hosts.end());
    shared_->asked.notify_one();
}

std::vector<Lookup> Worker::take() {
    const std::lock_guard lock(shared_->mutex);
    eventfd_t ignored = 0;
    ::eventfd_read(shared_->event.get(), &ignored);
    return std::exchange(shared_->done, {});
}

int Worker::readable() const {
    return shared_->event.get();
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
#include "daemon/util/loop_thread.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <system_error>
#include <utility>

#include <pthread.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <unistd.h>

namespace ballast {

namespace {

std::chrono::nanoseconds::rep ticks() {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Blocks all signals of the calling thread for as long as it lives; a thread made meanwhile keeps
/// them blocked.
class NoSignals {
public:
    NoSignals() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    NoSignals(const NoSignals&) = delete;
    NoSignals& operator=(const NoSignals&) = delete;

private:
    sigset_t before_{};
};

} // namespace

Result<std::unique_ptr<LoopThread>> LoopThread::create(std::string name) {
    auto loop = EventLoop::create();
    if (!loop)
        return fail(loop.error());
    Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake)
        return fail(Error::system(fmt::format("make an eventfd for thread {}", name), errno));
    std::unique_ptr<LoopThread> made(
        new LoopThread(std::move(name), std::move(*loop), std::move(wake)));
    if (auto listening = made->listen(); !listening)
        return fail(listening.error());
    return made;
}

LoopThread::~LoopThread() {
    if (thread_.joinable())
        thread_.join();
}

Result<void> LoopThread::listen() {
    auto readable = loop_.on_readable(wake_.get(), [this] { do_jobs(); });
    if (!readable)
        return fail(readable.error());
    readable_ = std::move(*readable);
    return {};
}

Result<void> LoopThread::start() {
    const NoSignals none;
    try {
        thread_ = std::thread([this] { turn(); });
    } catch (const std::system_error& error) {
        return fail(Error::system(fmt::format("start thread {}", name_), error.code().value()));
    }
    return {};
}

/// sd_event_loop() with a look at the clock around what takes time.
void LoopThread::turn() {
    pthread_setname_np(pthread_self(), name_.c_str());
    id_ = ::gettid();
    sd_event* const events = loop_.get();
    while (sd_event_get_state(events) != SD_EVENT_FINISHED) {
        int ready = sd_event_prepare(events);
        if (ready == 0)
            ready = sd_event_wait(events, UINT64_MAX);
        if (ready == 0)
            continue;
        busy_since_ = ticks();
        if (ready < 0 || sd_event_dispatch(events) < 0)
            break;
        busy_since_ = 0;
    }
    busy_since_ = 0;
    end_.set_value();
}

void LoopThread::post(Job job) {
    jobs_.lock()->push_back(std::move(job));
    const std::uint64_t one = 1;
    // Fails only where 2^64 - 2 wake-ups wait, and then it is readable (eventfd(2)).
    (void)!::write(wake_.get(), &one, sizeof one);
}

void LoopThread::do_jobs() {
    std::uint64_t wakes = 0;
    (void)!::read(wake_.get(), &wakes, sizeof wakes);
    const auto jobs = std::exchange(*jobs_.lock(), {});
    for (const auto& job : jobs)
        job();
}

bool LoopThread::run(Job job, std::chrono::nanoseconds patience) {
    const auto done = std::make_shared<std::promise<void>>();
    auto is_done = done->get_future();
    post([job = std::move(job), done] {
        job();
        done->set_value();
    });
    return is_done.wait_for(patience) == std::future_status::ready;
}

void LoopThread::mark_progress() {
    busy_since_ = ticks();
}

bool LoopThread::is_uninterruptible() const {
    std::ifstream file(fmt::format("/proc/self/task/{}/stat", id_.load()));
    std::string line;
    std::getline(file, line);
    const auto name_end = line.rfind(')'); // names may hold anything
    return name_end != std::string::npos && line.compare(name_end, 3, ") D") == 0;
}

std::chrono::nanoseconds LoopThread::busy_for() const {
    const auto since = busy_since_.load();
    return std::chrono::nanoseconds(since == 0 ? 0 : ticks() - since);
}

bool LoopThread::stop(std::chrono::nanoseconds patience) {
    if (!thread_.joinable())
        return true;
    post([this] { loop_.stop(0); });
    if (ended_.wait_for(patience) != std::future_status::ready)
        return false;
    thread_.join();
    return true;
}

} // namespace ballast

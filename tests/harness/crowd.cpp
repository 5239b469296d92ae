// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/crowd.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <mutex>
#include <new>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <thread>
#include <vector>

#include "tests/harness/check.h"

namespace ballast::test {

struct Crowd::Shared {
    CrowdCounts counts;
    // the plan, written before begun_ is signalled
    char host[64] = {};
    std::uint16_t port = 0;
    int threads = 0;
    std::uint32_t attempts = 0;
    bool churn = false;
    bool abort = false;
    bool request = false;
    int refusal = 0;
    std::uint32_t close_first = 0;
};

namespace {

constexpr std::string_view question = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

void set_timeouts(const Fd& socket) {
    const timeval limit{patience().count() / 1000, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

void abort_on_close(const Fd& socket) {
    const linger at_once{1, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/// 0, or the errno of what went wrong; ECONNRESET for an end of the stream.
int ask(const Fd& socket) {
    if (::send(socket.get(), question.data(), question.size(), MSG_NOSIGNAL) < 0)
        return errno;
    std::string answer;
    while (answer.find("ok\n") == std::string::npos) {
        char buffer[1024];
        const auto got = ::recv(socket.get(), buffer, sizeof buffer, 0);
        if (got <= 0)
            return got == 0 ? ECONNRESET : errno;
        answer.append(buffer, static_cast<std::size_t>(got));
    }
    return 0;
}

void raise_maximum(std::atomic<std::uint32_t>& maximum, std::uint32_t value) {
    auto seen = maximum.load();
    while (value > seen && !maximum.compare_exchange_weak(seen, value)) {
    }
}

/// Between attempts that are refused. Without it those who are turned away, who are many, leave
/// nothing of the processor to those who have a place to give back, nor to the server.
class Pause {
public:
    void take() {
        std::this_thread::sleep_for(next_);
        next_ = std::min(next_ * 2, std::chrono::microseconds(10'000));
    }

private:
    std::chrono::microseconds next_{100};
};

/// The child's side: what it holds, and one race.
class Racers {
public:
    explicit Racers(CrowdCounts& counts) : counts_(counts) {}

    void close_first(std::uint32_t count) {
        for (; count > 0 && !held_.empty(); --count) {
            counts_.held.fetch_sub(1);
            held_.pop_back();
        }
    }

    void race(const CrowdPlan& plan) {
        std::vector<std::jthread> threads;
        left_ = plan.attempts;
        for (int i = 0; i < plan.threads; ++i)
            threads.emplace_back([this, &plan] {
                Pause pause;
                while (take_ticket()) {
                    if (try_once(plan) || !plan.churn) {
                        pause = {};
                        continue;
                    }
                    left_.fetch_add(1);
                    pause.take();
                }
            });
    }

private:
    /// Never counts below 0, so that a ticket that is given back is there for the next.
    bool take_ticket() {
        auto left = left_.load();
        while (left > 0 && !left_.compare_exchange_weak(left, left - 1)) {
        }
        return left > 0;
    }

    /// False when connect() failed.
    bool try_once(const CrowdPlan& plan) {
        const int domain = plan.dest.v4() ? AF_INET : AF_INET6;
        Fd socket(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0));
        set_timeouts(socket);
        const SocketAddress address(plan.dest, domain);
        counts_.attempts.fetch_add(1);
        if (::connect(socket.get(), address.get(), address.length) != 0) {
            failed(errno, plan.refusal);
            return false;
        }
        counts_.opened.fetch_add(1);
        raise_maximum(counts_.held_max, counts_.held.fetch_add(1) + 1);
        if (const int error = plan.request ? ask(socket) : 0; error != 0)
            failed(error, 0);
        if (plan.churn) {
            if (plan.abort)
                abort_on_close(socket);
            counts_.held.fetch_sub(1);
            return true;
        }
        const std::lock_guard guard(lock_);
        held_.push_back(std::move(socket));
        return true;
    }

    void failed(int error, int expected) {
        if (error == expected) {
            counts_.refused.fetch_add(1);
            return;
        }
        counts_.surprises.fetch_add(1);
        counts_.surprise = error;
    }

    CrowdCounts& counts_;
    std::atomic<std::uint32_t> left_{0};
    std::mutex lock_;
    std::vector<Fd> held_;
};

} // namespace

Crowd::Crowd(const Netns& where, const Subgroup* cgroup)
    : begun_(::eventfd(0, EFD_CLOEXEC)), done_(::eventfd(0, EFD_CLOEXEC)) {
    void* memory =
        ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(memory != MAP_FAILED, "mmap");
    shared_ = new (memory) Shared;
    process_.fork([this, &where, cgroup]() -> int {
        if (cgroup != nullptr)
            cgroup->join();
        need(::setns(where.fd(), CLONE_NEWNET) == 0, "setns to a network namespace");
        Racers racers(shared_->counts);
        for (eventfd_t value = 0; ::eventfd_read(begun_.get(), &value) == 0;) {
            racers.close_first(shared_->close_first);
            racers.race({{shared_->host, shared_->port},
                         shared_->threads,
                         shared_->attempts,
                         shared_->churn,
                         shared_->abort,
                         shared_->request,
                         shared_->refusal});
            ::eventfd_write(done_.get(), 1);
        }
        return 1;
    });
}

Crowd::~Crowd() {
    process_.kill();
    ::munmap(shared_, sizeof(Shared));
}

void Crowd::begin(const CrowdPlan& plan) {
    plan.dest.host.copy(shared_->host, sizeof shared_->host - 1);
    shared_->host[plan.dest.host.size()] = 0;
    shared_->port = plan.dest.port;
    shared_->threads = plan.threads;
    shared_->attempts = plan.attempts;
    shared_->churn = plan.churn;
    shared_->abort = plan.abort;
    shared_->request = plan.request;
    shared_->refusal = plan.refusal;
    shared_->close_first = plan.close_first;
    ::eventfd_write(begun_.get(), 1);
}

void Crowd::finish(const std::function<void()>& meanwhile) {
    const auto deadline = Clock::now() + patience(std::chrono::seconds(60));
    const auto look = [&] {
        return wait_fd(done_.get(), POLLIN, meanwhile ? Clock::now() : deadline);
    };
    while (!look()) {
        check(Clock::now() < deadline && process_.running(), "the crowd made all its attempts");
        meanwhile();
    }
    eventfd_t value = 0;
    ::eventfd_read(done_.get(), &value);
}

void Crowd::race(const CrowdPlan& plan) {
    begin(plan);
    finish();
}

void Crowd::close_some(std::uint32_t count) {
    CrowdPlan plan;
    plan.dest = {"0.0.0.0", 1};
    plan.threads = 0;
    plan.close_first = count;
    race(plan);
}

const CrowdCounts& Crowd::counts() const {
    return shared_->counts;
}

} // namespace ballast::test

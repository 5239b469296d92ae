// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/process.h"

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/check.h"

namespace ballast::test {

namespace {

constexpr int cannot_exec = 127;

[[noreturn]] void execute(const Command& command) {
    if (command.mount_namespace >= 0)
        need(::setns(command.mount_namespace, CLONE_NEWNS) == 0, "setns to a mount namespace");
    if (command.network_namespace >= 0)
        need(::setns(command.network_namespace, CLONE_NEWNET) == 0, "setns to a network namespace");
    if (!command.output.empty()) {
        const int fd =
            ::open(command.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        need(fd >= 0 && ::dup2(fd, 1) == 1 && ::dup2(fd, 2) == 2, command.output);
    }
    for (const auto& variable : command.environment) {
        const auto equals = variable.find('=');
        ::setenv(variable.substr(0, equals).c_str(), variable.c_str() + equals + 1, 1);
    }
    std::vector<char*> argv;
    for (const auto& word : command.argv)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    fmt::print(stderr, "exec {}: {}\n", command.argv[0], std::strerror(errno));
    std::fflush(stderr);
    ::_exit(cannot_exec);
}

struct Pipe {
    Fd read, write;
    Pipe() {
        int fds[2];
        need(::pipe2(fds, O_CLOEXEC) == 0, "pipe2");
        read.reset(fds[0]);
        write.reset(fds[1]);
    }
};

/// Reads once; false at the end of the pipe.
bool read_some(Fd& from, std::string& to) {
    char buffer[16384];
    const auto got = ::read(from.get(), buffer, sizeof buffer);
    if (got > 0)
        to.append(buffer, static_cast<std::size_t>(got));
    else
        from.reset();
    return got > 0;
}

void read_both(Fd& out, Fd& err, Outcome& outcome, Clock::time_point deadline) {
    while (out || err) {
        pollfd entries[] = {{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}};
        if (::poll(entries, 2, left_ms(deadline)) <= 0)
            return;
        if (entries[0].revents != 0)
            read_some(out, outcome.out);
        if (entries[1].revents != 0)
            read_some(err, outcome.err);
    }
}

} // namespace

Process::~Process() {
    kill();
}

void Process::fork(const std::function<int()>& body) {
    kill();
    std::fflush(nullptr);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    need(pid >= 0, "fork");
    if (pid == 0) {
        asserts_end_process();
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent)
            ::_exit(0);
        const int status = body();
        std::fflush(nullptr);
        ::_exit(status);
    }
    pid_ = pid;
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    need(static_cast<bool>(pidfd_), "pidfd_open");
}

void Process::start(const Command& command) {
    fork([&command]() -> int { execute(command); });
}

void Process::signal(int number) const {
    if (pid_ > 0)
        ::kill(pid_, number);
}

std::optional<int> Process::wait(std::chrono::milliseconds at_most) {
    if (pid_ <= 0 || !wait_fd(pidfd_.get(), POLLIN, Clock::now() + at_most))
        return std::nullopt;
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Process::kill() {
    if (pid_ <= 0)
        return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

Outcome run(const Command& command) {
    Pipe out;
    Pipe err;
    Process child;
    child.fork([&]() -> int {
        ::dup2(out.write.get(), 1);
        ::dup2(err.write.get(), 2);
        execute(command);
    });
    out.write.reset();
    err.write.reset();
    Outcome outcome;
    const auto deadline = Clock::now() + patience(std::chrono::seconds(30));
    read_both(out.read, err.read, outcome, deadline);
    const auto status = child.wait(std::chrono::milliseconds(left_ms(deadline)));
    if (!status) {
        child.kill();
        fail_test(fmt::format("did not end: {}\n{}{}", fmt::join(command.argv, " "), outcome.out,
                              outcome.err));
    }
    outcome.status = *status;
    return outcome;
}

std::string run_ok(const Command& command) {
    auto outcome = run(command);
    if (outcome.status != 0)
        fail_test(fmt::format("status {} of: {}\n{}{}", outcome.status,
                              fmt::join(command.argv, " "), outcome.out, outcome.err));
    return outcome.out;
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file)
        fail_test(fmt::format("cannot write {}", path));
}

} // namespace ballast::test

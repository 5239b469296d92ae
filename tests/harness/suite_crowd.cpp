// SPDX-License-Identifier: Apache-2.0
// Cases of one executable at the same time: a process for each, whose TAP is joined into one.
#include "tests/harness/suite.h"

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <map>
#include <sstream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/process.h"
#include "tests/harness/sandbox.h"

namespace ballast::test {

class Suite::Crowd {
public:
    Crowd(const std::string& name, std::deque<Case>& cases)
        : name_(name), cases_(cases), directory_(make_temp_dir()) {}

    /// The number of cases that failed.
    int run(unsigned at_once) {
        fmt::print("1..{}\n", cases_.size());
        for (std::size_t next = 0; next < cases_.size() || !running_.empty();) {
            if (next < cases_.size() && running_.size() < at_once)
                start(next++);
            else
                finish_one();
        }
        return failed_;
    }

private:
    [[nodiscard]] std::string output_of(std::size_t number) const {
        return fmt::format("{}/{}", directory_, number);
    }

    void start(std::size_t number) {
        std::fflush(nullptr);
        const pid_t pid = ::fork();
        if (pid < 0)
            std::abort(); // no test can go on
        if (pid == 0)
            run_child(number);
        running_[pid] = number;
    }

    [[noreturn]] void run_child(std::size_t number) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        branch_names(static_cast<unsigned>(number + 1));
        const int output = ::open(output_of(number).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        ::dup2(output, STDOUT_FILENO);
        ::dup2(output, STDERR_FILENO);
        const int failed = run_one(name_, cases_.at(number));
        std::fflush(nullptr);
        std::_Exit(failed);
    }

    void finish_one() {
        int status = 0;
        const pid_t pid = ::waitpid(-1, &status, 0);
        const auto ended = running_.find(pid);
        if (ended == running_.end())
            return;
        const auto number = ended->second;
        running_.erase(ended);
        const bool has_told = show(number);
        if (!has_told)
            fmt::print("# ended by signal {}\nnot ok {} - {}\n", WTERMSIG(status), number + 1,
                       cases_.at(number).name);
        failed_ += has_told && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
        std::fflush(stdout);
    }

    /// Prints the case's output with its number among all; false where it gave no result.
    bool show(std::size_t number) const {
        std::istringstream lines(read_file(output_of(number)));
        bool has_told = false;
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with("1..") || line.starts_with("# ok - ") ||
                line.starts_with("# not ok - "))
                continue; // of its group of one
            for (const std::string verdict : {"ok ", "not ok "})
                if (line.starts_with(verdict + "1 ")) {
                    line.replace(verdict.size(), 1, std::to_string(number + 1));
                    has_told = true;
                }
            fmt::print("{}\n", line);
        }
        return has_told;
    }

    const std::string& name_;
    std::deque<Case>& cases_;
    std::string directory_;
    std::map<pid_t, std::size_t> running_; ///< which case
    int failed_ = 0;
};

int Suite::run_at_once(const std::string& name, unsigned at_once) {
    say_left_out();
    return supervise([&] {
        bpffs_mount(); // one for all of them
        return Crowd(name, cases_).run(at_once);
    });
}

} // namespace ballast::test

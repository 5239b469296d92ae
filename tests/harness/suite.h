// SPDX-License-Identifier: Apache-2.0
// One test executable: named cases run by cmocka in a child process, under a supervisor that
// removes what the cases left behind even if that child is killed.
#pragma once

#include <deque>
#include <functional>
#include <string>

namespace ballast::test {

class Suite {
public:
    Suite& add(std::string name, std::function<void()> body);

    /// One case per row, named "NAME: ROW.name".
    template <typename Rows, typename Body>
    Suite& each(const Rows& rows, const std::string& name, Body body) {
        for (const auto& row : rows)
            add(name + ": " + std::string(row.name), [body, row] { body(row); });
        return *this;
    }

    /// Makes, before the first case, what all cases share; it is destroyed after the last.
    Suite& shared(std::function<void()> make_shared);

    /// Runs all cases; the exit status for main().
    int run(const std::string& name);

    /// The same with up to `at_once` cases at a time, begun in their order, each in a process of
    /// its own; what they say is shown as each ends. For cases that mostly wait. No shared().
    int run_at_once(const std::string& name, unsigned at_once);

private:
    struct Case {
        std::string name;
        std::function<void()> body;
        bool passed = false;
    };
    class Crowd;

    static int set_up(void** state);
    static void run_case(void** state);
    static int tear_down(void** state);
    static int set_up_shared(void** state);
    int run_cases(const std::string& name);
    static int run_one(const std::string& name, Case& one);

    static std::function<void()> make_shared_;
    static bool shared_made_;
    std::deque<Case> cases_;
};

} // namespace ballast::test

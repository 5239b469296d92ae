// SPDX-License-Identifier: Apache-2.0
// One test executable: named cases run by cmocka in a child process, under a supervisor that
// removes what the cases left behind even if that child is killed.
#pragma once

#include <deque>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>

namespace ballast::test {

class Suite {
public:
    Suite& add(std::string name, std::function<void()> body);

    /// A case of what the daemon or a program of ours decides alike on every kernel: left out, and
    /// counted, where BALLAST_TEST_CASES is "contract".
    Suite& host_add(std::string name, std::function<void()> body);

    /// One case per row, named "NAME: ROW.name". Where BALLAST_TEST_FAMILIES is "in-turn", only one
    /// of the rows "ipv4" and "ipv6": the next one at the next such call.
    template <typename Rows, typename Body>
    Suite& each(const Rows& rows, const std::string& name, Body body) {
        const std::string left_out = is_of_families(rows) ? family_left_out() : "";
        for (const auto& row : rows)
            if (row.name != left_out)
                add(name + ": " + std::string(row.name), [body, row] { body(row); });
        return *this;
    }

    /// host_add() for each row.
    template <typename Rows, typename Body>
    Suite& host_each(const Rows& rows, const std::string& name, Body body) {
        for (const auto& row : rows)
            host_add(name + ": " + std::string(row.name), [body, row] { body(row); });
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

    template <typename Rows>
    static bool is_of_families(const Rows& rows) {
        return std::size(rows) == 2 && std::begin(rows)->name == std::string_view("ipv4");
    }
    /// "ipv4" and "ipv6" in turn; "" where both are wanted.
    std::string family_left_out();

    static int set_up(void** state);
    static void run_case(void** state);
    static int tear_down(void** state);
    static int set_up_shared(void** state);
    int run_cases(const std::string& name);
    void say_left_out() const;
    static int run_one(const std::string& name, Case& one);

    static std::function<void()> make_shared_;
    static bool shared_made_;
    std::deque<Case> cases_;
    bool is_ipv4_next_ = true;
    int left_out_ = 0;
};

} // namespace ballast::test

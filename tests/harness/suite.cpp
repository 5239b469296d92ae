// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/suite.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/harness/registry.h"
#include "tests/harness/sandbox.h"

#include "tests/harness/cmocka.hpp"

namespace ballast::test {

Suite& Suite::add(std::string name, std::function<void()> body) {
    cases_.push_back(Case{std::move(name), std::move(body)});
    return *this;
}

namespace {

bool environment_says(const char* name, std::string_view value) {
    const char* said = std::getenv(name);
    return said != nullptr && said == value;
}

} // namespace

Suite& Suite::host_add(std::string name, std::function<void()> body) {
    if (!environment_says("BALLAST_TEST_CASES", "contract"))
        return add(std::move(name), std::move(body));
    ++left_out_;
    return *this;
}

void Suite::say_left_out() const {
    if (left_out_ == 0)
        return;
    std::printf("# %d cases of what kernels do not differ in were left out\n", left_out_);
    (void)std::fflush(stdout); // or each process forked from here says it again
}

std::string Suite::family_left_out() {
    if (!environment_says("BALLAST_TEST_FAMILIES", "in-turn"))
        return "";
    is_ipv4_next_ = !is_ipv4_next_;
    return is_ipv4_next_ ? "ipv4" : "ipv6";
}

// cmocka hands group fixtures no argument; there is one suite an executable
std::function<void()> Suite::make_shared_;
bool Suite::shared_made_ = false;

Suite& Suite::shared(std::function<void()> make_shared) {
    make_shared_ = std::move(make_shared);
    return *this;
}

int Suite::set_up_shared(void** /*state*/) {
    if (make_shared_)
        make_shared_();
    shared_made_ = true;
    return 0;
}

int Suite::set_up(void** state) {
    Registry::current().begin();
    static_cast<Case*>(*state)->passed = false;
    return 0;
}

void Suite::run_case(void** state) {
    auto* one = static_cast<Case*>(*state);
    one->body();
    one->passed = true;
}

int Suite::tear_down(void** state) {
    Registry::current().finish(static_cast<Case*>(*state)->passed);
    return 0;
}

int Suite::run_cases(const std::string& name) {
    std::vector<CMUnitTest> tests;
    for (auto& one : cases_)
        tests.push_back({one.name.c_str(), run_case, set_up, tear_down, &one});
    const int failed =
        _cmocka_run_group_tests(name.c_str(), tests.data(), tests.size(), set_up_shared, nullptr);
    Registry::current().finish_all(shared_made_);
    return failed;
}

int Suite::run_one(const std::string& name, Case& one) {
    const CMUnitTest test{one.name.c_str(), run_case, set_up, tear_down, &one};
    return _cmocka_run_group_tests(name.c_str(), &test, 1, nullptr, nullptr);
}

int Suite::run(const std::string& name) {
    say_left_out();
    return supervise([this, &name] { return run_cases(name); });
}

} // namespace ballast::test

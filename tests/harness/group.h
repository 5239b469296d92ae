// SPDX-License-Identifier: Apache-2.0
// A test executable holds many groups, one a source file; each run executes one of them, so that no
// test can disturb another's process: `unit_guards idle_bound`. Without a name it lists them.
#pragma once

#include <string_view>

namespace ballast::test {

/// Registers a group for as long as the process lives.
class Group {
public:
    /// `arguments` are the words after the group's name, "" where there is none.
    using Run = int (*)(std::string_view argument);

    Group(const char* name, Run run);

    const char* name;
    Run run;
    Group* next;
};

} // namespace ballast::test

/// Defines the group NAME; its body returns what main() should, `argument` is a word after its
/// name.
#define TEST_GROUP(NAME)                                                                           \
    static int run_group_##NAME(std::string_view argument);                                        \
    static const ::ballast::test::Group group_##NAME(#NAME, run_group_##NAME);                     \
    static int run_group_##NAME([[maybe_unused]] std::string_view argument)

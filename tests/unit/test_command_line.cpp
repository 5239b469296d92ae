// SPDX-License-Identifier: Apache-2.0
// daemon/util/command_line: what rows become, which values arrive, what is refused.
#include <string>
#include <vector>

#include "daemon/util/command_line.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_command_line {

namespace {

using namespace ballast;

/// What the last run of a command saw.
struct Seen {
    std::string command;
    std::string text;
    std::string shared;
    std::uint64_t number = 0;
    std::vector<std::string> texts;
    bool flag = false;
    bool has_number = false;
};

Command command(const std::string& name, Seen& seen, const std::string& fallback) {
    return {.name = name,
            .summary = "Does " + name,
            .parameters = {{.name = "TEXT", .help = "A text"},
                           {.name = "REST", .help = "More", .takes = Takes::texts},
                           {.name = "--number",
                            .help = "A number",
                            .takes = Takes::number,
                            .least = 1,
                            .most = 10,
                            .fallback = fallback},
                           {.name = "--word",
                            .help = "A word",
                            .takes = Takes::word,
                            .words = {"one", "two"}}},
            .run = [&seen, name](const Arguments& args) {
                seen = {name,
                        args.text("TEXT"),
                        args.text("--shared"),
                        args.number("--number"),
                        args.texts("REST"),
                        args.has("--flag"),
                        args.has("--number")};
                return 7;
            }};
}

Program make_program(Seen& seen) {
    return {{.name = "tool",
             .summary = "A tool",
             .parameters = {{.name = "--flag", .help = "A flag", .takes = Takes::nothing},
                            {.name = "--shared",
                             .help = "A text",
                             .fallback = "fallback",
                             .environment = "BALLAST_TEST_SHARED"}},
             .commands = {command("first", seen, "3"), command("second", seen, "4")}},
            "tool 1",
            ""};
}

int run(Seen& seen, std::vector<std::string> words) {
    words.insert(words.begin(), "tool");
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    return run_program(make_program(seen), static_cast<int>(words.size()), argv.data());
}

void values_arrive(void**) {
    Seen seen;
    assert_int_equal(run(seen, {"first", "a", "b", "c", "--number", "5", "--flag"}), 7);
    assert_string_equal(seen.command.c_str(), "first");
    assert_string_equal(seen.text.c_str(), "a");
    assert_int_equal(seen.texts.size(), 2);
    assert_string_equal(seen.texts.at(1).c_str(), "c");
    assert_int_equal(seen.number, 5);
    assert_true(seen.has_number);
    assert_true(seen.flag);
}

/// Two commands have an option of one name; each keeps its own fallback.
void fallbacks_are_the_commands_own(void**) {
    Seen seen;
    assert_int_equal(run(seen, {"second"}), 7);
    assert_int_equal(seen.number, 4);
    assert_false(seen.has_number);
    assert_false(seen.flag);
    assert_string_equal(seen.shared.c_str(), "fallback");
    assert_int_equal(run(seen, {"first"}), 7);
    assert_int_equal(seen.number, 3);
}

void options_of_all_are_taken_anywhere(void**) {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"--shared", "x", "first"}, {"first", "--shared", "x"}}) {
        Seen seen;
        assert_int_equal(run(seen, words), 7);
        assert_string_equal(seen.shared.c_str(), "x");
    }
}

void environment_stands_in(void**) {
    Seen seen;
    ::setenv("BALLAST_TEST_SHARED", "of the environment", 1);
    assert_int_equal(run(seen, {"first"}), 7);
    assert_string_equal(seen.shared.c_str(), "of the environment");
    assert_int_equal(run(seen, {"first", "--shared", "given"}), 7);
    assert_string_equal(seen.shared.c_str(), "given");
    ::unsetenv("BALLAST_TEST_SHARED");
}

void wrong_use_is_refused(void**) {
    for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                  {"third"},
                                                  {"first", "--number", "0"},
                                                  {"first", "--number", "11"},
                                                  {"first", "--number", "5x"},
                                                  {"first", "--word", "three"},
                                                  {"first", "--unknown"},
                                                  {"first", "--number"}}) {
        Seen seen;
        assert_int_equal(run(seen, words), kUsageExitCode);
        assert_string_equal(seen.command.c_str(), "");
    }
}

} // namespace

TEST_GROUP(command_line) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(values_arrive), cmocka_unit_test(fallbacks_are_the_commands_own),
        cmocka_unit_test(options_of_all_are_taken_anywhere),
        cmocka_unit_test(environment_stands_in), cmocka_unit_test(wrong_use_is_refused)};
    return cmocka_run_group_tests_name("command_line", tests, nullptr, nullptr);
}

} // namespace test_command_line

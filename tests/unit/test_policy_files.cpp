// SPDX-License-Identifier: Apache-2.0
// daemon/config/policy_files: which files are read, in which order, and what a bad one does.
#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/stat.h>

#include "daemon/config/policy_files.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/temporary_directory.h"

namespace test_policy_files {

namespace {

using namespace ballast;
namespace fs = std::filesystem;

using test::directory;

fs::path main_file() {
    return directory / "policy.toml";
}

void write(const char* name, const std::string& text) {
    const fs::path path = directory / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
}

/// The errors of check_policy(), with the directory's name taken out.
std::string errors() {
    std::string text = check_policy(main_file()).errors.text();
    const std::string prefix = directory.string() + "/";
    for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix))
        text.erase(at, prefix.size());
    return text;
}

std::string service(const std::string& name, int host) {
    return fmt::format("[[service]]\nname = '{}'\nto = ['10.0.0.{}']\n", name, host);
}

void no_files(void**) {
    const auto policy = load_policy(main_file());
    assert_true(policy.has_value());
    assert_true(*policy == Policy{});
}

void drop_ins_without_main_file(void**) {
    write("policy.d/a.toml", service("a", 1));
    assert_int_equal(load_policy(main_file())->services.size(), 1);
}

void lexical_order_after_the_main_file(void**) {
    write("policy.toml", "[guards]\nlimit = 'off'\n" + service("main", 1));
    write("policy.d/20.toml", "[guards]\nlimit = 'enforce'\n" + service("twenty", 2));
    write("policy.d/10.toml", "[guards]\nlimit = 'observe'\n" + service("ten", 3));
    write("policy.d/9.toml", service("nine", 4));
    const auto policy = load_policy(main_file());
    assert_string_equal(policy ? "" : policy.error().text().c_str(), "");
    assert_true(policy->mode(GuardKind::limit) == Mode::enforce);
    std::string names;
    for (const Service& s : policy->services)
        names += s.name + " ";
    assert_string_equal(names.c_str(), "main ten twenty nine ");
    assert_string_equal(policy->services[1].origin.c_str(),
                        (directory / "policy.d/10.toml:3").c_str());
}

void other_files_are_passed_over(void**) {
    for (const char* name :
         {"policy.d/a.toml~", "policy.d/b.conf", "policy.d/.c.toml", "policy.d/toml",
          "policy.d/.toml", "policy.d/d.toml.rpmsave", "other.d/e.toml"})
        write(name, "not toml");
    fs::create_symlink("nowhere", directory / "policy.d/.#a.toml");
    assert_string_equal(errors().c_str(), "");
}

void every_file_is_reported(void**) {
    write("policy.toml", "[guards]\nlimit = 'x'\n");
    write("policy.d/a.toml", "x");
    fs::create_directory(directory / "policy.d/b.toml");
    fs::create_symlink("nowhere", directory / "policy.d/c.toml");
    assert_int_equal(mkfifo((directory / "policy.d/d.toml").c_str(), 0600), 0);
    const std::string wanted =
        "policy.toml:2: key guards.limit: \"x\" is not one of off, observe, enforce\n"
        "policy.d/a.toml:1:2: ";
    const std::string got = errors();
    assert_string_equal(got.substr(0, wanted.size()).c_str(), wanted.c_str());
    const std::string rest = got.substr(got.find('\n', wanted.size()) + 1);
    assert_string_equal(rest.c_str(),
                        "policy.d/b.toml: not a regular file, nor a link to one\n"
                        "policy.d/c.toml: open(): No such file or directory (check that it exists "
                        "and its mode)\n"
                        "policy.d/d.toml: not a regular file, nor a link to one");
    assert_false(load_policy(main_file()).has_value());
}

void the_main_file_must_be_a_file(void**) {
    fs::create_directory(main_file());
    assert_string_equal(errors().c_str(), "policy.toml: not a regular file, nor a link to one");
}

void the_directory_must_be_one(void**) {
    write("policy.d", "");
    assert_string_equal(errors().c_str(), "policy.d: reading the directory: Not a directory");
}

void size_is_bounded_over_all_files(void**) {
    const std::string half(kMaxPolicyBytes / 2, '\n');
    write("policy.toml", half);
    write("policy.d/a.toml", half);
    assert_string_equal(errors().c_str(), "");
    write("policy.d/b.toml", "\n");
    assert_string_equal(errors().c_str(), "policy.d/b.toml: too big; a policy has at most 2097152 "
                                          "bytes, all files together");
}

void number_of_drop_ins_is_bounded(void**) {
    for (std::size_t i = 0; i < kMaxDropIns; ++i)
        write(fmt::format("policy.d/{:03}.toml", i).c_str(), "");
    assert_string_equal(errors().c_str(), "");
    write("policy.d/zzz.toml", "");
    assert_string_equal(errors().c_str(), "policy.d/zzz.toml: 257 drop-ins; at most 256 are read");
}

int run() {
    const CMUnitTest tests[] = {
        BALLAST_CASE(no_files),
        BALLAST_CASE(drop_ins_without_main_file),
        BALLAST_CASE(lexical_order_after_the_main_file),
        BALLAST_CASE(other_files_are_passed_over),
        BALLAST_CASE(every_file_is_reported),
        BALLAST_CASE(the_main_file_must_be_a_file),
        BALLAST_CASE(the_directory_must_be_one),
        BALLAST_CASE(size_is_bounded_over_all_files),
        BALLAST_CASE(number_of_drop_ins_is_bounded),
    };
    return cmocka_run_group_tests_name("policy_files", tests, nullptr, nullptr);
}

} // namespace

TEST_GROUP(policy_files) {
    return test::run_with_directories(run);
}

} // namespace test_policy_files

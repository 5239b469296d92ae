// SPDX-License-Identifier: Apache-2.0
// Promise: a network namespace is found for as long as somebody lives in it, whoever that is. The
// namespaces are plain files here: what tells them apart is the inode number, as in /proc.
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "daemon/kernel/namespaces.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_namespaces {

namespace {

using namespace ballast::kernel;
namespace fs = std::filesystem;

struct Proc {
    std::string root;

    Proc() {
        std::string name = (fs::temp_directory_path() / "ballast-proc-XXXXXX").string();
        assert_non_null(::mkdtemp(name.data()));
        root = name;
        lives("self");
    }
    Proc(const Proc&) = delete;
    Proc& operator=(const Proc&) = delete;
    ~Proc() { fs::remove_all(root); }

    [[nodiscard]] std::string path(const std::string& process) const {
        return root + "/" + process + "/ns/net";
    }
    /// In a namespace of its own.
    void lives(const std::string& process) const {
        fs::create_directories(root + "/" + process + "/ns");
        std::ofstream(path(process)) << process;
    }
    void lives_with(const std::string& process, const std::string& other) const {
        fs::create_directories(root + "/" + process + "/ns");
        fs::create_hard_link(path(other), path(process));
    }
    void ends(const std::string& process) const { fs::remove_all(root + "/" + process); }

    /// The one that is not the daemon's own.
    [[nodiscard]] NetNamespace only_other() const {
        const auto found = find_net_namespaces(root);
        assert_true(found.has_value());
        assert_int_equal(found->size(), 2);
        assert_string_equal(found->at(0).path.c_str(), path("self").c_str());
        return found->at(1);
    }
};

void each_is_listed_once(void**) {
    const Proc proc;
    proc.lives("10");
    proc.lives_with("20", "10");
    const auto space = proc.only_other();
    assert_true(space.open().has_value());
}

void another_who_lives_there_will_do(void**) {
    const Proc proc;
    proc.lives("10");
    proc.lives_with("20", "10");
    auto space = proc.only_other();
    const std::string first = space.path == proc.path("10") ? "10" : "20";
    const std::string second = first == "10" ? "20" : "10";
    proc.ends(first);
    assert_false(space.open().has_value());
    const auto there = where_it_is_now(space, proc.root);
    assert_true(there.has_value() && there->has_value());
    assert_string_equal((*there)->path.c_str(), proc.path(second).c_str());
    assert_int_equal((*there)->inode, space.inode);
}

/// Process numbers are given again.
void a_namesake_elsewhere_will_not(void**) {
    const Proc proc;
    proc.lives("10");
    const auto space = proc.only_other();
    fs::rename(proc.path("10"), proc.root + "/kept"); // or its inode might be given again too
    proc.lives("10");
    assert_false(space.open().has_value());
    const auto there = where_it_is_now(space, proc.root);
    assert_true(there.has_value());
    assert_false(there->has_value());
}

void nobody_lives_there_any_more(void**) {
    const Proc proc;
    proc.lives("10");
    const auto space = proc.only_other();
    proc.ends("10");
    const auto there = where_it_is_now(space, proc.root);
    assert_true(there.has_value());
    assert_false(there->has_value());
}

void not_to_be_able_to_look_is_an_error(void**) {
    const Proc proc;
    proc.lives("10");
    const auto space = proc.only_other();
    fs::remove_all(proc.root);
    assert_false(where_it_is_now(space, proc.root).has_value());
}

} // namespace

TEST_GROUP(namespaces) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(each_is_listed_once),
        cmocka_unit_test(another_who_lives_there_will_do),
        cmocka_unit_test(a_namesake_elsewhere_will_not),
        cmocka_unit_test(nobody_lives_there_any_more),
        cmocka_unit_test(not_to_be_able_to_look_is_an_error),
    };
    return cmocka_run_group_tests_name("namespaces", tests, nullptr, nullptr);
}

} // namespace test_namespaces

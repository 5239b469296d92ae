// SPDX-License-Identifier: Apache-2.0
// daemon/model/from_pattern, and by it bpf/lib/glob.h: whom an element of `from` holds for.
#include <array>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "daemon/model/from_pattern.h"
#include "daemon/model/policy.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_from_pattern {

namespace {

using namespace ballast;

struct Case {
    std::string pattern;
    std::string path;
    bool matches;
};

void matching(void**) {
    const std::string deep = "/system.slice/app-7.service/worker";
    const std::string long_name(200, 'x');
    for (const auto& [pattern, path, matches] : std::vector<Case>{
             {"app-7.service", deep, true},
             {"app-*.service", deep, true},
             {"*.service", deep, true},
             {"worker", deep, true},
             {"system.slice", deep, true},
             {"app-?.service", deep, true},
             {"app-??.service", deep, false},
             {"app-7", deep, false},
             {"pp-7.service", deep, false},
             {"app-7.services", deep, false},
             {"work", deep, false},
             {"*", deep, true},
             {"*", "/", false},
             {"?", "/", false},
             {"*.slice*", deep, true},
             {"*slice*app*", deep, false},
             {"***", deep, true},
             {"**k*r", deep, true},
             {"a*b", "/aXb/ab", true},
             {"a*bc", "/abbc", true},
             {"a*bc", "/abcbd/x", false},
             {"*ab", "/aab", true},
             {"*aab", "/aaab/x", true},
             {"/system.slice", deep, true},
             {"/system.slice/app-*", deep, true},
             {"/system.slice/*/worker", deep, true},
             {"/system.slice/*", deep, true},
             {"/system.slice/*", "/system.slice", false},
             {"/system.slice*", "/system.slice", true},
             {"/*/worker", deep, false},
             {"/*/*/worker", deep, true},
             {"/app-7.service", deep, false},
             {"/system.slic", deep, false},
             {"/system.slice/app", deep, false},
             {"/?ystem.slice", deep, true},
             {"/system.slice?app-7.service", deep, false},
             {"/*", "/", false},
             {"/", "/", true},
             {"/", deep, true},
             {R"(a\x2db.service)", R"(/a\x2db.service)", true},
             {"b", "/a/b/c", true},
             {"x", "", false},
             {"/x", "", false},
             {long_name, "/" + long_name, false}, // longer than an element may be
             {"x*y", "/" + long_name + "y", true},
             {"/*/*", fmt::format("/{0}/{0}", long_name), false}, // cut to its first component
             {"x*", fmt::format("/a/{0}/{0}", long_name), true},
         }) {
        if (from_matches(pattern, path) != matches)
            print_error("%s on %s: wanted %d\n", pattern.c_str(), path.c_str(), matches);
        assert_true(from_matches(pattern, path) == matches);
    }
}

/// One component, the plain recursive way.
bool component_matches(const char* pattern, const char* text) {
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '*')
        return component_matches(pattern + 1, text) ||
               (*text != '\0' && component_matches(pattern, text + 1));
    return *text != '\0' && (*pattern == '?' || *pattern == *text) &&
           component_matches(pattern + 1, text + 1);
}

std::vector<std::string> components(const std::string& path) {
    std::vector<std::string> out;
    for (const char c : path)
        if (c == '/')
            out.emplace_back();
        else
            out.back() += c;
    if (path == "/")
        out.clear();
    return out;
}

bool reference(const std::string& pattern, const std::string& path) {
    const auto have = components(path);
    if (pattern[0] != '/') {
        for (const std::string& component : have)
            if (component_matches(pattern.c_str(), component.c_str()))
                return true;
        return false;
    }
    const auto want = components(pattern);
    for (std::size_t i = 0; i < want.size(); ++i)
        if (i >= have.size() || !component_matches(want[i].c_str(), have[i].c_str()))
            return false;
    return true;
}

std::string random_component(std::minstd_rand& random, const char* alphabet, unsigned letters) {
    std::string out;
    for (auto length = 1 + random() % 6; length > 0; --length)
        out += alphabet[random() % letters];
    return out;
}

void agrees_with_a_recursive_reference(void**) {
    std::minstd_rand random(11);
    unsigned matched = 0;
    for (int round = 0; round < 200'000; ++round) {
        std::string path;
        for (auto depth = random() % 4; depth > 0; --depth)
            path += "/" + random_component(random, "ab", 2);
        std::string pattern;
        for (auto depth = random() % 3; depth > 0; --depth)
            pattern += "/" + random_component(random, "aab*?", 5);
        if (pattern.empty())
            pattern = random_component(random, "aab*?", 5);
        path = path.empty() ? "/" : path;
        const bool wanted = reference(pattern, path);
        if (from_matches(pattern, path) != wanted)
            print_error("%s on %s: wanted %d\n", pattern.c_str(), path.c_str(), wanted);
        assert_true(from_matches(pattern, path) == wanted);
        matched += wanted ? 1 : 0;
    }
    assert_true(matched > 20'000 && matched < 180'000);
}

/// What repeats itself without end counts as no match; every path that there is ends in time.
void bounded(void**) {
    const std::string text = "/" + std::string(250, 'a');
    assert_false(from_matches("*" + std::string(100, 'a') + "b", text));
    assert_true(from_matches("*a", text));
    assert_true(from_matches("*-a.service", "/" + std::string(240, 'a') + "-a.service"));
}

void lawful(void**) {
    for (const std::string pattern :
         {"a", "app-*.service", "/", "/a", "/a/b*", "*", "...", "a b", "x\\x2dy", "a]"})
        assert_true(check_from(pattern).has_value());
    assert_true(check_from(std::string(127, 'a')).has_value());
    struct Refused {
        std::string pattern;
        const char* why;
    };
    for (const auto& [pattern, why] : std::vector<Refused>{
             {"", "\"\" names nobody"},
             {std::string(128, 'a'), "has 128 characters, more than 127"},
             {"a[b]", "has \"[\"; only * and ? stand for other characters"},
             {"a/b", "has a \"/\" but does not begin with one; wanted a unit name such as"},
             {"a/", "does not begin with one"},
             {"/a/", "has an empty part"},
             {"//a", "has an empty part"},
             {"//", "has an empty part"},
             {"/a//b", "has an empty part"},
             {"/a/../b", "has an empty part, \".\" or \"..\""},
             {"/..", "\"..\""},
             {"/./a", "\"..\""},
             {"..", "\"..\""},
             {".", "\"..\""},
             {"a\n", "not printable"},
             {std::string("a\0", 2), "not printable"},
         }) {
        const auto checked = check_from(pattern);
        assert_false(checked.has_value());
        assert_non_null(strstr(checked.error().text().c_str(), why));
    }
}

} // namespace

TEST_GROUP(from_pattern) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(matching),
        cmocka_unit_test(agrees_with_a_recursive_reference),
        cmocka_unit_test(bounded),
        cmocka_unit_test(lawful),
    };
    return cmocka_run_group_tests_name("from_pattern", tests, nullptr, nullptr);
}

} // namespace test_from_pattern

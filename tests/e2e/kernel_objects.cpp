// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/kernel_objects.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <sstream>

#include "tests/harness/check.h"
#include "tests/harness/sandbox.h"

namespace ballast::test {

namespace fs = std::filesystem;

namespace {

Json bpftool(std::vector<std::string> words) {
    words.insert(words.begin(), {"bpftool", "--json"});
    auto parsed = Json::parse(run_ok({.argv = words}), nullptr, false);
    check(!parsed.is_discarded(), "bpftool prints JSON");
    return parsed;
}

std::string name_of(const std::string& kind, const Json& object) {
    return fmt::format("{} {} {}", kind, object.at("id").get<int>(), object.value("name", ""));
}

void add_lines(KernelObjects& objects, const std::string& kind, const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        objects.insert(fmt::format("{} {}", kind, line));
}

void add_entries(KernelObjects& objects, const std::string& directory) {
    std::error_code ignored;
    for (const auto& entry : fs::recursive_directory_iterator(directory, ignored))
        objects.insert("pin " + entry.path().string());
}

bool is_pinned_in(const std::string& directory, const Json& object) {
    const auto pins = object.value("pinned", Json::array());
    return std::any_of(pins.begin(), pins.end(), [&](const Json& path) {
        return path.get<std::string>().starts_with(directory + "/");
    });
}

KernelObjects difference(const KernelObjects& from, const KernelObjects& without) {
    KernelObjects rest;
    std::set_difference(from.begin(), from.end(), without.begin(), without.end(),
                        std::inserter(rest, rest.end()));
    return rest;
}

} // namespace

KernelObjects kernel_objects() {
    KernelObjects objects;
    for (const char* kind : {"prog", "map", "link"}) {
        for (const auto& object : bpftool({kind, "show"}))
            objects.insert(name_of(kind, object));
    }
    for (const auto& cgroup : bpftool({"cgroup", "tree", cgroup_mount()})) {
        for (const auto& program : cgroup.at("programs"))
            objects.insert(
                fmt::format("attached to {}: {}", cgroup.at("cgroup").dump(), program.dump()));
    }
    add_lines(objects, "tc", run_ok({.argv = {"tc", "qdisc", "show"}}));
    add_entries(objects, bpffs_mount());
    return objects;
}

KernelObjects objects_of(const Ballastd& ballastd) {
    KernelObjects objects;
    std::set<int> programs;
    add_entries(objects, ballastd.bpffs());
    for (const char* kind : {"map", "link"}) {
        for (const auto& object : bpftool({"--bpffs", kind, "show"})) {
            if (!is_pinned_in(ballastd.bpffs(), object))
                continue;
            objects.insert(name_of(kind, object));
            programs.insert(object.value("prog_id", 0));
        }
    }
    for (const auto& program : bpftool({"prog", "show"})) {
        if (programs.contains(program.at("id").get<int>()))
            objects.insert(name_of("prog", program));
    }
    return objects;
}

void await_no_more_than(const KernelObjects& before, Where where) {
    KernelObjects more;
    if (!wait_until([&] { return (more = difference(kernel_objects(), before)).empty(); }))
        fail_test(fmt::format("left behind:\n{}", fmt::join(more, "\n")), where);
}

void await_gone(const KernelObjects& gone, Where where) {
    KernelObjects left;
    const auto all_gone = [&] {
        left = difference(gone, difference(gone, kernel_objects()));
        return left.empty();
    };
    if (!wait_until(all_gone))
        fail_test(fmt::format("still there:\n{}", fmt::join(left, "\n")), where);
}

} // namespace ballast::test

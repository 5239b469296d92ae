// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/cgroup.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/process.h"
#include "tests/harness/sandbox.h"

namespace ballast::test {

namespace fs = std::filesystem;

namespace {

/// "/x" of the line "0::/x" in /proc/self/cgroup.
std::string own_cgroup() {
    std::istringstream lines(read_file("/proc/self/cgroup"));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("0::"))
            return cgroup_mount() + line.substr(3);
    }
    fail_test("/proc/self/cgroup has no cgroup v2 line");
}

bool write_once(const fs::path& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    return file.good();
}

/// True once it and all below are gone; killed processes leave their cgroup a moment after the
/// signal.
bool remove_cgroup(const fs::path& path) {
    write_once(path / "cgroup.kill", "1");
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(path, ignored)) {
        if (entry.is_directory(ignored))
            remove_cgroup(entry.path());
    }
    return wait_until([&path] { return ::rmdir(path.c_str()) == 0 || errno == ENOENT; },
                      std::chrono::seconds(5));
}

} // namespace

std::string cgroup_mount() {
    std::ifstream mounts("/proc/self/mounts");
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream words(line);
        std::string device, path, type;
        words >> device >> path >> type;
        if (type == "cgroup2")
            return path;
    }
    return {};
}

Cgroup::Cgroup() {
    check(!cgroup_mount().empty(), "a cgroup v2 hierarchy is mounted");
    home_ = own_cgroup();
    path_ = fmt::format("{}/{}", cgroup_mount(), unique_name());
    need(::mkdir(path_.c_str(), 0755) == 0, path_);
    enter();
}

Cgroup::~Cgroup() {
    write_once(home_ + "/cgroup.procs", "0");
    if (!remove_cgroup(path_))
        note(fmt::format("could not remove {}", path_));
}

void Cgroup::leave() const {
    need(write_once(home_ + "/cgroup.procs", "0"), home_);
}

void Cgroup::enter() const {
    need(write_once(path_ + "/cgroup.procs", "0"), path_);
}

void Cgroup::remove_all_of(const std::string& prefix) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(cgroup_mount(), ignored)) {
        if (entry.is_directory(ignored) && entry.path().filename().string().starts_with(prefix))
            remove_cgroup(entry.path());
    }
}

Subgroup::Subgroup(const std::string& parent, const std::string& name)
    : path_(fmt::format("{}/{}", parent, name)) {
    need(::mkdir(path_.c_str(), 0755) == 0, path_);
}

Subgroup::~Subgroup() {
    if (!remove_cgroup(path_))
        note(fmt::format("could not remove {}", path_));
}

void Subgroup::join() const {
    need(write_once(path_ + "/cgroup.procs", "0"), path_);
}

} // namespace ballast::test

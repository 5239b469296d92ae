// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/sandbox.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "daemon/util/fd.h"
#include "tests/harness/cgroup.h"
#include "tests/harness/check.h"

namespace ballast::test {

namespace fs = std::filesystem;

namespace {

constexpr long bpf_fs_magic = 0xcafe4a11;
constexpr auto usual_bpffs = "/sys/fs/bpf";

// Set before the supervisor forks, so that both know it.
std::string current_run_name;
std::string current_branch;
pid_t supervised = -1;

fs::path temp_root() {
    return fs::temp_directory_path() / run_name();
}

bool is_bpffs(const std::string& path) {
    struct statfs info {};
    return ::statfs(path.c_str(), &info) == 0 && info.f_type == bpf_fs_magic;
}

void end_child(int signal) {
    if (supervised > 0)
        ::kill(supervised, signal == SIGINT ? SIGTERM : SIGKILL);
}

void remove_pins(const fs::path& mount) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(mount, ignored)) {
        if (entry.path().filename().string().starts_with(run_name()))
            fs::remove_all(entry.path(), ignored);
    }
}

/// Unmounts leftovers of a test that was killed; they may be frozen, and then nothing in them can
/// be removed.
void unmount_leftovers() {
    std::ifstream mounts("/proc/self/mountinfo");
    std::vector<std::string> ours;
    std::string line;
    while (std::getline(mounts, line)) {
        std::istringstream fields(line);
        std::string id, parent, device, root, target;
        if (fields >> id >> parent >> device >> root >> target &&
            target.starts_with(temp_root().string() + "/"))
            ours.push_back(target);
    }
    for (const auto& target : ours) {
        const Fd directory(::open(target.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        (void)::ioctl(directory.get(), FITHAW, 0);
        ::umount2(target.c_str(), MNT_DETACH);
    }
}

void remove_leftovers() {
    Cgroup::remove_all_of(run_name());
    if (is_bpffs(usual_bpffs))
        remove_pins(usual_bpffs);
    unmount_leftovers();
    std::error_code ignored;
    fs::remove_all(temp_root(), ignored);
}

int wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

const std::string& run_name() {
    return current_run_name;
}

std::string unique_name() {
    static int number = 0;
    return fmt::format("{}-{}{}", run_name(), current_branch, ++number);
}

void branch_names(unsigned branch) {
    current_branch = fmt::format("{}_", branch); // a bpffs takes no dots
}

std::string make_temp_dir() {
    const auto path = temp_root() / unique_name();
    fs::create_directories(path);
    return path;
}

std::string staged_binary(const std::string& name) {
    const auto self = fs::read_symlink("/proc/self/exe");
    return self.parent_path().parent_path().parent_path() / "bin" / name;
}

const std::string& bpffs_mount() {
    static std::string path;
    if (path.empty() && is_bpffs(usual_bpffs))
        path = usual_bpffs;
    if (path.empty()) {
        const auto own = temp_root() / "bpffs";
        fs::create_directories(own);
        need(::mount("bpf", own.c_str(), "bpf", 0, "mode=0700") == 0, "mount of a bpffs");
        path = own;
    }
    return path;
}

std::chrono::milliseconds patience(std::chrono::milliseconds base) {
    const char* text = std::getenv("BALLAST_TEST_SCALE");
    const int scale = text != nullptr ? std::atoi(text) : 1;
    return base * std::clamp(scale, 1, 1000);
}

int supervise(const std::function<int()>& body) {
    current_run_name = fmt::format("ballast-test-{}", ::getpid());
    fs::create_directories(temp_root());
    const pid_t pid = ::fork();
    if (pid < 0)
        return 1;
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int status = body();
        std::fflush(nullptr);
        std::_Exit(status);
    }
    supervised = pid;
    std::signal(SIGTERM, end_child);
    std::signal(SIGINT, end_child);
    const int status = wait_for(pid);
    remove_leftovers();
    return status;
}

} // namespace ballast::test

// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/bpffs.h"

#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace ballast::kernel {

namespace {

namespace fs = std::filesystem;

std::string marker_path(const std::string& runtime_dir) {
    return runtime_dir + "/bpffs-mounted";
}

bool is_bpffs(const std::string& path) {
    struct statfs status {};
    return ::statfs(path.c_str(), &status) == 0 &&
           static_cast<unsigned long>(status.f_type) == BPF_FS_MAGIC;
}

/// A new bpffs is not empty where the kernel preloads its iterators (kernel/bpf/inode.c,
/// populate_bpffs()); those go with the mount.
bool has_foreign_pins(const std::string& at) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(at, error)) {
        const auto name = entry.path().filename();
        if (name != "maps.debug" && name != "progs.debug")
            return true;
    }
    return false;
}

Result<void> mount_bpffs(const std::string& at, const std::string& runtime_dir) {
    if (::mount("bpf", at.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
        return fail(Error::system(fmt::format("mount a bpffs at {}", at), errno)
                        .hint("run as root, or pass --bpffs a directory inside a mounted bpffs"));
    std::ofstream marker(marker_path(runtime_dir));
    marker << at << '\n';
    if (!marker.flush()) {
        ::umount(at.c_str());
        return fail(Error::system(fmt::format("write {}", marker_path(runtime_dir)), errno));
    }
    return {};
}

} // namespace

Result<void> prepare_bpffs(const std::string& bpffs_dir, const std::string& runtime_dir) {
    const std::string parent = fs::path(bpffs_dir).parent_path().string();
    if (!is_bpffs(parent))
        if (auto mounted = mount_bpffs(parent, runtime_dir); !mounted)
            return mounted;
    if (::mkdir(bpffs_dir.c_str(), 0700) && errno != EEXIST)
        return fail(Error::system(fmt::format("make directory {}", bpffs_dir), errno));
    return {};
}

Result<Fd> lock_pins(const std::string& bpffs_dir) {
    Fd directory(::open(bpffs_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory)
        return fail(Error::system(fmt::format("open {}", bpffs_dir), errno));
    if (::flock(directory.get(), LOCK_EX | LOCK_NB))
        return fail(Error::system(fmt::format("take over the pins at {}", bpffs_dir), errno)
                        .hint("a running ballastd owns them; stop it first, or give this one its "
                              "own --bpffs, --runtime-dir and --state-dir"));
    return directory;
}

Result<bool> release_bpffs(const std::string& runtime_dir) {
    std::ifstream marker(marker_path(runtime_dir));
    std::string at;
    if (!std::getline(marker, at))
        return false;
    if (is_bpffs(at) && has_foreign_pins(at))
        return false; // somebody else's, since
    if (is_bpffs(at) && ::umount(at.c_str()))
        return fail(Error::system(fmt::format("unmount {}", at), errno));
    std::error_code error;
    fs::remove(marker_path(runtime_dir), error);
    return true;
}

} // namespace ballast::kernel

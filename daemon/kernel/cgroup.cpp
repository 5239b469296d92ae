// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/cgroup.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <memory>

#include <fcntl.h>
#include <linux/magic.h>
#include <mntent.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace ballast::kernel {

namespace {

constexpr const char* mount_table = "/proc/self/mounts";

struct CloseMounts {
    void operator()(std::FILE* file) const { ::endmntent(file); }
};

std::uint32_t depth_below(const std::string& root, const std::string& path) {
    const auto relative = std::filesystem::path(path).lexically_relative(root);
    return relative == "."
               ? 0
               : static_cast<std::uint32_t>(std::distance(relative.begin(), relative.end()));
}

Result<void> require_cgroup2(int fd, const std::string& path) {
    struct statfs fs {};
    if (::fstatfs(fd, &fs))
        return fail(Error::system(fmt::format("statfs of {}", path), errno));
    if (fs.f_type != CGROUP2_SUPER_MAGIC)
        return fail(Error(fmt::format("{} is not in the cgroup v2 hierarchy", path))
                        .hint("name a directory below the mount point of type cgroup2"));
    return {};
}

} // namespace

Result<std::string> cgroup2_mount() {
    const std::unique_ptr<std::FILE, CloseMounts> mounts(::setmntent(mount_table, "re"));
    if (!mounts)
        return fail(Error::system(fmt::format("open {}", mount_table), errno));
    while (const mntent* mount = ::getmntent(mounts.get()))
        if (std::string_view(mount->mnt_type) == "cgroup2")
            return std::string(mount->mnt_dir);
    return fail(Error("no cgroup v2 hierarchy is mounted")
                    .hint("mount one: mount -t cgroup2 none /sys/fs/cgroup"));
}

Result<CgroupRoot> open_cgroup(const std::string& path) {
    const auto root = cgroup2_mount();
    if (!root)
        return fail(root.error());
    std::error_code ignored;
    const auto wanted = std::filesystem::path(*root) / path;
    CgroupRoot cgroup;
    cgroup.path = std::filesystem::weakly_canonical(wanted, ignored).string();
    cgroup.directory = Fd(::open(cgroup.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!cgroup.directory)
        return fail(Error::system(fmt::format("open cgroup {}", cgroup.path), errno));
    if (auto is_cgroup2 = require_cgroup2(cgroup.directory.get(), cgroup.path); !is_cgroup2)
        return fail(is_cgroup2.error());
    struct stat status {};
    if (::fstat(cgroup.directory.get(), &status))
        return fail(Error::system(fmt::format("stat of {}", cgroup.path), errno));
    cgroup.id = status.st_ino;
    cgroup.level = depth_below(*root, cgroup.path);
    return cgroup;
}

std::optional<std::string> cgroup_path(std::uint64_t id) {
    constexpr int kernfs_id = 0xfe; // include/linux/exportfs.h, FILEID_KERNFS: the id itself
    const auto mount = cgroup2_mount();
    if (!mount)
        return std::nullopt;
    const Fd root(::open(mount->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    alignas(file_handle) std::array<std::byte, sizeof(file_handle) + sizeof id> memory{};
    auto* handle = reinterpret_cast<file_handle*>(memory.data());
    handle->handle_bytes = sizeof id;
    handle->handle_type = kernfs_id;
    std::memcpy(handle->f_handle, &id, sizeof id);
    const Fd cgroup(::open_by_handle_at(root.get(), handle, O_PATH | O_CLOEXEC));
    if (!cgroup)
        return std::nullopt;
    std::error_code error;
    const auto path =
        std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", cgroup.get()), error);
    if (error || !path.string().starts_with(*mount))
        return std::nullopt;
    const auto below = path.string().substr(mount->size());
    return below.empty() ? "/" : below;
}

} // namespace ballast::kernel

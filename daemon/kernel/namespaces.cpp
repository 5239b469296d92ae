// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/namespaces.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <unordered_set>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

namespace ballast::kernel {

namespace {

class Collector {
public:
    /// Adds the namespace behind `path` if it is new; false where it cannot be read.
    bool add(const std::string& path) {
        struct stat status {};
        if (::stat(path.c_str(), &status))
            return false; // the process or the mount is gone
        if (known_.insert(status.st_ino).second)
            found_.push_back({static_cast<std::uint32_t>(status.st_ino), path});
        return true;
    }

    std::vector<NetNamespace> take() { return std::move(found_); }

private:
    std::unordered_set<ino_t> known_;
    std::vector<NetNamespace> found_;
};

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

Result<void> add_of_processes(const std::string& proc, Collector& collector) {
    const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(proc.c_str()));
    if (!directory)
        return fail(Error::system(fmt::format("open {}", proc), errno));
    while (const dirent* process = ::readdir(directory.get()))
        if (process->d_name[0] >= '1' && process->d_name[0] <= '9')
            collector.add(fmt::format("{}/{}/ns/net", proc, process->d_name));
    return {};
}

/// Mounts of the namespace file system; the kind is not in the line, but only those of network
/// namespaces have a root of "net:[inode]".
void add_of_mounts(const std::string& proc, Collector& collector) {
    std::ifstream mounts(proc + "/self/mountinfo");
    std::string line;
    while (std::getline(mounts, line)) {
        std::istringstream fields(line);
        std::string id, parent, device, root, target;
        if (fields >> id >> parent >> device >> root >> target && root.starts_with("net:["))
            collector.add(target);
    }
}

} // namespace

Result<Fd> NetNamespace::open() const {
    Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
        return fail(Error::system(fmt::format("open {}", path), errno));
    struct stat status {};
    if (::fstat(file.get(), &status))
        return fail(Error::system(fmt::format("look at {}", path), errno));
    if (static_cast<std::uint32_t>(status.st_ino) != inode)
        return fail(Error(fmt::format("{} is no longer of that namespace", path)));
    return file;
}

Result<std::vector<NetNamespace>> find_net_namespaces(const std::string& proc) {
    Collector collector;
    const std::string own = proc + "/self/ns/net";
    if (!collector.add(own))
        return fail(Error::system(fmt::format("open {}", own), errno));
    if (auto added = add_of_processes(proc, collector); !added)
        return fail(added.error());
    add_of_mounts(proc, collector);
    return collector.take();
}

Result<std::optional<NetNamespace>> where_it_is_now(const NetNamespace& space,
                                                    const std::string& proc) {
    if (space.open())
        return space;
    const auto spaces = find_net_namespaces(proc);
    if (!spaces)
        return fail(spaces.error());
    const auto found = std::ranges::find(*spaces, space.inode, &NetNamespace::inode);
    return found == spaces->end() ? std::nullopt : std::optional(*found);
}

} // namespace ballast::kernel

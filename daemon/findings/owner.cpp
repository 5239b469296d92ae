// SPDX-License-Identifier: Apache-2.0
#include "daemon/findings/owner.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "daemon/util/fd.h"

namespace ballast::findings {
namespace {

struct Close {
    void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, Close>;

Directory open_directory(int at, const char* name) {
    const int fd = ::openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return nullptr;
    Directory directory(::fdopendir(fd));
    if (!directory)
        ::close(fd);
    return directory;
}

/// The next entry whose name is a number; null at the end.
const char* next_number(DIR* directory) {
    while (const dirent* entry = ::readdir(directory))
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
            return entry->d_name;
    return nullptr;
}

/// The beginning of a file of /proc, empty if there is none.
std::string read_some(int directory, const char* name) {
    const Fd file(::openat(directory, name, O_RDONLY | O_CLOEXEC));
    std::array<char, 4096> buffer{};
    const ssize_t got = file ? ::read(file.get(), buffer.data(), buffer.size()) : -1;
    return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : std::string();
}

/// As long as a name may be.
constexpr std::size_t longest_unit = 255;

bool is_unit(std::string_view name) {
    return name.ends_with(".service") || name.ends_with(".scope");
}

} // namespace

std::string unit_of(const std::string& cgroup_text) {
    constexpr std::string_view v2 = "0::";
    const std::string text = "\n" + cgroup_text;
    const auto begin = text.find("\n" + std::string(v2));
    if (begin == std::string::npos)
        return {};
    const auto from = begin + 1 + v2.size();
    const std::string path = text.substr(from, text.find('\n', from) - from);
    for (std::size_t at = 0; at < path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        if (is_unit(std::string_view(path).substr(at, end - at)))
            return path.substr(at, std::min(end - at, longest_unit));
        at = end + 1;
    }
    return path.substr(0, longest_unit);
}

bool OwnerFinder::may_read() const {
    return links_ < most_links;
}

bool OwnerFinder::is_link_to(int directory, const char* name, const std::string& target) {
    ++links_;
    std::array<char, 64> link{};
    const ssize_t got = ::readlinkat(directory, name, link.data(), link.size());
    return got >= 0 && std::string_view(link.data(), static_cast<std::size_t>(got)) == target;
}

bool OwnerFinder::has_open(int process, const std::string& socket) {
    const auto files = open_directory(process, "fd");
    if (!files)
        return false;
    while (const char* name = next_number(files.get())) {
        if (!may_read())
            return false;
        if (is_link_to(::dirfd(files.get()), name, socket))
            return true;
    }
    return false;
}

SocketOwner OwnerFinder::describe(int process, std::uint32_t pid) const {
    SocketOwner owner;
    owner.pid = pid;
    owner.comm = read_some(process, "comm");
    if (owner.comm.ends_with('\n'))
        owner.comm.pop_back();
    owner.unit = unit_of(read_some(process, "cgroup"));
    return owner;
}

/// is_native: among processes in the namespace; else among the others.
SocketOwner OwnerFinder::find_among(bool is_native, const std::string& space,
                                    const std::string& socket) {
    const auto processes = open_directory(AT_FDCWD, proc_.c_str());
    while (const char* name = processes && may_read() ? next_number(processes.get()) : nullptr) {
        const Fd process(
            ::openat(::dirfd(processes.get()), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!process || is_link_to(process.get(), "ns/net", space) != is_native ||
            !has_open(process.get(), socket))
            continue;
        std::uint32_t pid = 0;
        std::from_chars(name, name + std::strlen(name), pid);
        return describe(process.get(), pid);
    }
    return {};
}

SocketOwner OwnerFinder::find(std::uint32_t netns, std::uint32_t inode, Monotonic now) {
    if (inode == 0)
        return {};
    if (now - second_begins_ >= std::chrono::seconds(1)) {
        second_begins_ = now;
        links_ = 0;
    }
    const std::string space = fmt::format("net:[{}]", netns);
    const std::string socket = fmt::format("socket:[{}]", inode);
    SocketOwner owner = find_among(true, space, socket);
    if (owner.pid == 0)
        owner = find_among(false, space, socket);
    skipped_ += owner.pid == 0 && !may_read() ? 1U : 0U;
    return owner;
}

} // namespace ballast::findings

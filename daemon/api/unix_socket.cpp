// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/unix_socket.h"

#include <cerrno>
#include <cstring>

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace ballast::api {
namespace {

constexpr int kBacklog = 64;

/// Sets the permission bits of files made meanwhile, so that a socket is never more open than
/// meant.
class Umask {
public:
    explicit Umask(mode_t mask) : before_(::umask(mask)) {}
    ~Umask() { ::umask(before_); }
    Umask(const Umask&) = delete;
    Umask& operator=(const Umask&) = delete;
    Umask(Umask&&) = delete;
    Umask& operator=(Umask&&) = delete;

private:
    mode_t before_;
};

Result<sockaddr_un> unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path))
        return fail(Error(fmt::format("socket path {} is longer than {} bytes", path,
                                      sizeof(address.sun_path) - 1))
                        .hint("choose a shorter runtime directory"));
    std::memcpy(&address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

Result<Fd> open_socket() {
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return fail(Error::system("socket(AF_UNIX)", errno));
    return fd;
}

/// Fails if a process listens at the address.
Result<void> expect_dead(const std::string& path, const sockaddr_un& address) {
    const auto probe = open_socket();
    if (!probe)
        return fail(probe.error());
    // EAGAIN: its backlog is full, so a process listens
    if (::connect(probe->get(), generic(address), sizeof(address)) == 0 || errno == EAGAIN)
        return fail(Error(path + " is served by another process", EADDRINUSE)
                        .hint("stop that ballastd first, or use another runtime directory"));
    if (errno != ECONNREFUSED)
        return fail(Error::system("connect to " + path, errno));
    return {};
}

Result<void> clear_stale(const std::string& path, const sockaddr_un& address) {
    struct stat found {};
    if (::lstat(path.c_str(), &found) != 0) {
        if (errno == ENOENT)
            return {};
        return fail(Error::system("lstat " + path, errno));
    }
    if (!S_ISSOCK(found.st_mode))
        return fail(Error(path + " is in the way and is not a socket").hint("remove it"));
    if (auto dead = expect_dead(path, address); !dead)
        return dead;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        return fail(Error::system("unlink " + path, errno));
    return {};
}

Result<Fd> bind_private(const std::string& path, const sockaddr_un& address) {
    auto fd = open_socket();
    if (!fd)
        return fd;
    const Umask owner_only(0177);
    if (::bind(fd->get(), generic(address), sizeof(address)) != 0)
        return fail(Error::system("bind " + path, errno));
    return fd;
}

/// Opens the file up to what is wanted, once it listens.
Result<void> publish(int fd, const std::string& path, mode_t mode, gid_t group) {
    if (::listen(fd, kBacklog) != 0)
        return fail(Error::system("listen on " + path, errno));
    if (group != kOwnGroup && ::chown(path.c_str(), static_cast<uid_t>(-1), group) != 0)
        return fail(Error::system(fmt::format("chown {} to group {}", path, group), errno));
    if (::chmod(path.c_str(), mode) != 0)
        return fail(Error::system("chmod " + path, errno));
    return {};
}

} // namespace

Result<UnixSocket> UnixSocket::listen(const std::string& path, mode_t mode, gid_t group) {
    const auto address = unix_address(path);
    if (!address)
        return fail(address.error());
    if (auto cleared = clear_stale(path, *address); !cleared)
        return fail(cleared.error());
    auto fd = bind_private(path, *address);
    if (!fd)
        return fail(fd.error());
    UnixSocket made(path, std::move(*fd));
    struct stat file {};
    if (::lstat(path.c_str(), &file) != 0)
        return fail(Error::system("lstat " + path, errno));
    made.device_ = file.st_dev;
    made.inode_ = file.st_ino;
    if (auto published = publish(made.fd_.get(), path, mode, group); !published)
        return fail(published.error());
    return made;
}

UnixSocket::~UnixSocket() {
    struct stat file {};
    if (!path_.empty() && ::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ &&
        file.st_ino == inode_)
        ::unlink(path_.c_str());
}

gid_t group_or_own(const std::string& name) {
    const group* found = ::getgrnam(name.c_str());
    return found != nullptr ? found->gr_gid : kOwnGroup;
}

} // namespace ballast::api

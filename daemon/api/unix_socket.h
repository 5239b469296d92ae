// SPDX-License-Identifier: Apache-2.0
// A listening Unix socket whose file's permissions are the access control.
#pragma once

#include <string>
#include <utility>

#include <sys/types.h>

#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::api {

/// For `group` below: leave the file with the process's own group.
inline constexpr gid_t kOwnGroup = static_cast<gid_t>(-1);

/// The socket and its file. The file is removed with the object, unless another process has put its
/// own in the place since.
class UnixSocket {
public:
    /// `mode` is the file's permission bits, `group` the gid it is given. A file that no process
    /// listens on is replaced. Fails where another process answers (errno EADDRINUSE), where
    /// something that is no socket is in the way, and on paths of 108 bytes and more.
    static Result<UnixSocket> listen(const std::string& path, mode_t mode, gid_t group);

    UnixSocket(UnixSocket&& other) noexcept
        : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)), device_(other.device_),
          inode_(other.inode_) {}
    UnixSocket& operator=(UnixSocket&&) = delete;
    UnixSocket(const UnixSocket&) = delete;
    UnixSocket& operator=(const UnixSocket&) = delete;
    ~UnixSocket();

    /// The descriptor, non-blocking, for one who closes it; the file stays with this object.
    [[nodiscard]] Fd take_fd() { return std::move(fd_); }

private:
    UnixSocket(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

    std::string path_; ///< empty: moved from
    Fd fd_;
    dev_t device_ = 0; ///< with the inode number: which file is ours; 0: none yet
    ino_t inode_ = 0;
};

/// The gid of the group named, kOwnGroup where there is none.
gid_t group_or_own(const std::string& name);

} // namespace ballast::api

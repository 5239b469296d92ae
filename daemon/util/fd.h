// SPDX-License-Identifier: Apache-2.0
// The one owner of a file descriptor: move-only, closes what it held when assigned or destroyed.
#pragma once

#include <unistd.h>
#include <utility>

namespace ballast {

class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    ~Fd() { reset(); }

    Fd(Fd&& other) noexcept : fd_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;

    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

    /// Gives up ownership without closing.
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }

    /// Closes what is held and takes `fd` (or nothing).
    void reset(int fd = -1) {
        if (fd_ >= 0 && fd_ != fd)
            ::close(fd_);
        fd_ = fd;
    }

private:
    int fd_ = -1;
};

} // namespace ballast

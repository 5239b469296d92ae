// SPDX-License-Identifier: Apache-2.0
// A file system that stands still: who writes to it, be it the kernel into a mapped page, waits
// until it is thawed, and cannot be killed meanwhile (Documentation/filesystems/locking.rst,
// freeze_fs).
#pragma once

#include <string>

#include "daemon/util/fd.h"

namespace ballast::test {

class FreezableDisk {
public:
    /// ext4 in a file of the running executable's, mounted by way of a loop device: on an existing
    /// directory, or on one of its own.
    explicit FreezableDisk(std::string mount_point = {});
    /// Thaws it.
    ~FreezableDisk();
    FreezableDisk(const FreezableDisk&) = delete;
    FreezableDisk& operator=(const FreezableDisk&) = delete;

    /// A file with one page of zeros, written back.
    [[nodiscard]] std::string make_file(const std::string& name) const;
    void freeze();
    void thaw();
    /// For a clean-up: does not fail.
    void thaw_if_frozen();

private:
    std::string mount_;
    Fd root_;
    bool is_frozen_ = false;
};

} // namespace ballast::test

// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/frozen.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "tests/harness/check.h"
#include "tests/harness/process.h"
#include "tests/harness/sandbox.h"

namespace ballast::test {

FreezableDisk::FreezableDisk(std::string mount_point) : mount_(std::move(mount_point)) {
    const auto directory = make_temp_dir();
    const auto image = directory + "/disk";
    const Fd file(::open(image.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    need(file && ::ftruncate(file.get(), 16L * 1024 * 1024) == 0, "an image of a disk");
    if (mount_.empty()) {
        mount_ = directory + "/mount";
        need(::mkdir(mount_.c_str(), 0700) == 0, "mkdir " + mount_);
    }
    run_ok({.argv = {"mkfs.ext4", "-q", "-F", image}});
    run_ok({.argv = {"mount", "-o", "loop", image, mount_}});
    root_ = Fd(::open(mount_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    need(static_cast<bool>(root_), "open " + mount_);
}

FreezableDisk::~FreezableDisk() {
    thaw_if_frozen();
    root_.reset();
    (void)::umount2(mount_.c_str(), MNT_DETACH);
}

std::string FreezableDisk::make_file(const std::string& name) const {
    auto path = mount_ + "/" + name;
    const Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    const std::string page(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)), '\0');
    need(file && ::write(file.get(), page.data(), page.size()) == ssize_t(page.size()) &&
             ::fsync(file.get()) == 0,
         "write " + path);
    return path;
}

void FreezableDisk::freeze() {
    need(::ioctl(root_.get(), FIFREEZE, 0) == 0, "FIFREEZE");
    is_frozen_ = true;
}

void FreezableDisk::thaw_if_frozen() {
    if (is_frozen_)
        (void)::ioctl(root_.get(), FITHAW, 0);
    is_frozen_ = false;
}

void FreezableDisk::thaw() {
    need(::ioctl(root_.get(), FITHAW, 0) == 0, "FITHAW");
    is_frozen_ = false;
}

} // namespace ballast::test

// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/etc.h"

#include <fcntl.h>
#include <filesystem>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/sandbox.h"

namespace ballast::test {

namespace fs = std::filesystem;

Etc::Etc() : directory_(make_temp_dir()) {
    for (const char* file : {"ld.so.cache", "passwd", "group"})
        if (const auto text = read_file(std::string("/etc/") + file); !text.empty())
            write_file(directory_ + "/" + file, text);
    write_file(directory_ + "/nsswitch.conf", "hosts: files\n");
    write_file(directory_ + "/host.conf", "multi on\n"); // all lines of hosts, not the first
    hosts("");
    const auto ready = directory_ + "/ready";
    keeper_.fork([this, ready] { return hold(ready); });
    await([&] { return fs::exists(ready); }, "a mount namespace with an /etc of its own");
    const auto path = fmt::format("/proc/{}/ns/mnt", keeper_.pid());
    mounts_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    need(static_cast<bool>(mounts_), path);
}

int Etc::hold(const std::string& ready) const {
    need(::unshare(CLONE_NEWNS) == 0, "unshare(CLONE_NEWNS)");
    need(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "MS_PRIVATE");
    need(::mount(directory_.c_str(), "/etc", nullptr, MS_BIND, nullptr) == 0, "MS_BIND");
    write_file(ready, "ready");
    return ::pause();
}

void Etc::hosts(const std::string& text) const {
    write_file(directory_ + "/hosts.new", text);
    fs::rename(directory_ + "/hosts.new", directory_ + "/hosts");
}

Fd Etc::hang() const {
    const auto next = directory_ + "/hosts.new";
    need(::mkfifo(next.c_str(), 0600) == 0, "mkfifo");
    fs::rename(next, directory_ + "/hosts");
    Fd writer;
    await(
        [&] {
            writer.reset(
                ::open((directory_ + "/hosts").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
            return static_cast<bool>(writer); // ENXIO until it has a reader
        },
        "a lookup that hangs");
    return writer;
}

} // namespace ballast::test

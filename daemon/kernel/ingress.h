// SPDX-License-Identifier: Apache-2.0
// A program at the ingress of a device, pinned, so that it stays when the daemon goes: a tcx link
// (Linux 6.6), or a filter of clsact on older kernels, which others' filters run beside.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::kernel {

class Ingress {
public:
    /// Attaches the program to a device of the caller's network namespace, or puts it in the place
    /// of the one that an earlier daemon attached.
    static Result<Ingress> attach(int program, std::uint32_t device, const std::string& bpffs_dir);

    [[nodiscard]] std::uint32_t device() const { return device_; }
    /// "tcx" or "clsact".
    [[nodiscard]] const char* kind() const { return link_ ? "tcx" : "clsact"; }
    /// Whether the kernel still runs it: others may have detached it.
    [[nodiscard]] bool is_attached() const;

    /// Devices that have pins.
    static std::vector<std::uint32_t> pinned(const std::string& bpffs_dir);
    /// Detaches the program of a device and removes its pin, also an earlier daemon's; appends to
    /// `removed` what was removed. A clsact qdisc that was made for it, and has nothing else, goes
    /// too.
    static Result<void> remove(std::uint32_t device, const std::string& bpffs_dir,
                               std::vector<std::string>& removed);

    /// Programs and filters that a packet comes to there, in that order: "tcx:NAME", "bpf:NAME",
    /// "flower".
    static std::vector<std::string> chain(std::uint32_t device);

private:
    Ingress(std::uint32_t device, Fd link, std::uint32_t program)
        : device_(device), link_(std::move(link)), program_(program) {}
    static Result<Fd> attach_tcx(int program, std::uint32_t device, const std::string& pin);
    static Result<void> attach_filter(int program, std::uint32_t device, const std::string& pin);

    std::uint32_t device_;
    Fd link_;               ///< none: it is a filter
    std::uint32_t program_; ///< id
};

} // namespace ballast::kernel

// SPDX-License-Identifier: Apache-2.0
// The program that sheds SYNs as they come in (bpf/shed.bpf.c): its rules, the devices it is
// attached to, and what it has counted. Everything is pinned beside admission's pins, whose
// heartbeat it heeds, so that it outlives the daemon and observes once that has been silent for its
// grace.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/model/listener_rule.h"
#include "daemon/model/shed_row.h"
#include "daemon/util/error.h"

namespace ballast::kernel {

class Shedder {
public:
    /// Loads the program and takes over what an earlier daemon left at `bpffs_dir`, where admission
    /// is pinned.
    static Result<std::unique_ptr<Shedder>> load(const std::string& bpffs_dir);
    ~Shedder();
    Shedder(const Shedder&) = delete;
    Shedder& operator=(const Shedder&) = delete;

    /// Puts the rules in force in place of those before. No SYN meets half a rule.
    Result<void> put(const std::vector<ListenerRule>& rules);

    /// Looks at what comes in by the device, of the caller's network namespace, too.
    Result<void> attach(std::uint32_t device);
    Result<void> detach(std::uint32_t device);

    /// By index.
    struct Attachment {
        std::uint32_t device;
        std::string kind; ///< "tcx", "clsact"
        bool is_attached; ///< others may have detached it
    };
    [[nodiscard]] std::vector<Attachment> attachments() const;

    /// Of the rules in force, in their order, since the daemon started.
    [[nodiscard]] std::vector<ShedCounts> counts() const;
    /// SYNs that were passed without a look at any rule: fragments, IPv6 extension headers.
    [[nodiscard]] std::uint64_t undecided() const;

    /// Whether something is pinned there.
    static bool is_pinned(const std::string& bpffs_dir);
    /// Detaches all and removes the pins, with the daemon dead or alive; appends what was removed.
    static Result<void> remove(const std::string& bpffs_dir, std::vector<std::string>& removed);

    /// Whether the kernel takes the program.
    static Result<void> try_load();

private:
    struct State;
    explicit Shedder(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace ballast::kernel

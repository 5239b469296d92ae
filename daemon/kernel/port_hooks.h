// SPDX-License-Identifier: Apache-2.0
// What happens to local ports between two passes over them (bpf/port_hooks.bpf.c). The programs are
// attached while the object lives, and end with the process.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "daemon/kernel/cgroup.h"
#include "daemon/util/error.h"

namespace ballast::kernel {

class PortHooks {
public:
    /// Loads the programs and attaches them to the cgroup. `wanted`: map that notes the ports which
    /// programs ask bind() for (PortWalk::wanted()). `on_many`: more connects were made than
    /// allow() allowed for; called by consume().
    static Result<std::unique_ptr<PortHooks>> attach(const CgroupRoot& cgroup, int wanted,
                                                     std::function<void()> on_many);
    ~PortHooks();
    PortHooks(const PortHooks&) = delete;
    PortHooks& operator=(const PortHooks&) = delete;

    /// Reports once more than about `connects` have been made from now on; never later, but for
    /// CPUs that come online meanwhile.
    Result<void> allow(std::uint32_t connects);

    /// Becomes readable when there is something to consume.
    [[nodiscard]] int descriptor() const;
    void consume();

    /// Whether the kernel takes the programs; they are not attached.
    static Result<void> try_load();

private:
    struct State;
    explicit PortHooks(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace ballast::kernel

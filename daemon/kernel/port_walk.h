// SPDX-License-Identifier: Apache-2.0
// Counts the local ports in use, of all network namespaces in one pass, by programs that read the
// kernel's tables without a lock (bpf/ports.bpf.c): no socket can hold the caller, and a pass costs
// what there are sockets and buckets.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/kernel/mapped.h"
#include "daemon/model/ports.h"
#include "daemon/util/error.h"

struct ballast_port_pass;

namespace ballast::kernel {

class PortWalk {
public:
    /// Loads the programs; they are attached nowhere and end with the object. Fails where the
    /// kernel refuses them.
    static Result<std::unique_ptr<PortWalk>> load();
    ~PortWalk();
    PortWalk(const PortWalk&) = delete;
    PortWalk& operator=(const PortWalk&) = delete;

    /// Begins a pass; forgets one under way. `least`: tuples with fewer sockets get no row; with
    /// one of more than 1, those that grew beyond it since the pass before are counted in part.
    void begin(std::uint32_t least);

    /// Goes on for about that long, in one call to the kernel; false: the pass is through.
    Result<bool> step(std::chrono::nanoseconds time);

    /// Map of the ports that programs ask bind() for, which others fill; open as long as the
    /// object.
    [[nodiscard]] int wanted() const;

    /// What the pass counted. Once, when it is through.
    Result<PortCount> finish();

private:
    struct State;
    explicit PortWalk(std::unique_ptr<State> state);

    Result<bool> step_through(std::chrono::nanoseconds time);
    Result<void> find_tables();
    Result<std::vector<TakenPort>> take_wanted(bool is_exact);

    std::unique_ptr<State> state_;
};

} // namespace ballast::kernel

// SPDX-License-Identifier: Apache-2.0
// Reads all listening sockets of the host (bpf/listening.bpf.c), a slice at a time.
#pragma once

#include <chrono>
#include <memory>

#include "daemon/model/listener_row.h"
#include "daemon/util/error.h"

namespace ballast::kernel {

class ListenWalk {
public:
    /// Loads the program; it is attached nowhere and ends with the object. Fails where the kernel
    /// refuses it.
    static Result<std::unique_ptr<ListenWalk>> load();
    ~ListenWalk();
    ListenWalk(const ListenWalk&) = delete;
    ListenWalk& operator=(const ListenWalk&) = delete;

    /// Begins a pass; forgets one under way.
    void begin();

    /// Goes on for about that long, in one call to the kernel; false: the pass is through.
    Result<bool> step(std::chrono::nanoseconds time);

    /// What the pass read. Once, when it is through.
    Result<ListenCount> finish();

    /// Whether the kernel takes the program.
    static Result<void> try_load();

private:
    struct State;
    explicit ListenWalk(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace ballast::kernel

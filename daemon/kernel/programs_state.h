// SPDX-License-Identifier: Apache-2.0
// What a loaded Ballast holds, for the three files that make up Programs: programs.cpp (its life),
// programs_load.cpp (skeleton, maps, pins), programs_attach.cpp (links).
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "ballast.skel.h"
#include "daemon/kernel/hooks.h"
#include "daemon/kernel/programs.h"

namespace ballast::kernel {

struct CloseSkeleton {
    void operator()(ballast_bpf* skeleton) const { ballast_bpf::destroy(skeleton); }
};

/// A row of kHooks, as loaded.
struct LoadedHook {
    Fd program; ///< none: the kernel refused an optional one
    Fd link;    ///< none: not attached
};

struct Programs::State {
    LoadOptions options;
    Fd owner; ///< lock on the pins
    bool is_owner = false;
    std::unique_ptr<ballast_bpf, CloseSkeleton> skeleton;
    std::array<LoadedHook, kHooks.size()> hooks; ///< as kHooks
    Fd report_program;
    Maps maps;
    CgroupRoot cgroup;
    bool adopted = false;
    /// One sweep may be under way, and two have to meet what the first adopts.
    static constexpr std::uint32_t sweeps_until_watched = 3;
    std::uint32_t traced_until = 0; ///< the sweep that meets only what is watched, as it begins
    std::vector<std::string> notices;

    // programs_load.cpp
    Result<void> prepare_and_lock();
    Result<void> prepare_pins();
    Result<void> open_and_load();
    Result<void> load_skeleton(bool with_optional);
    Result<void> reuse_pinned_maps();
    Result<void> keep_programs();
    Result<void> pin_maps();
    Result<void> map_memory();
    void stamp_control();

    // programs_attach.cpp
    Result<void> attach(Stage stage);
    Result<void> attach(std::size_t row, bool was_there);
    Result<void> attach_traced();
    Result<void> detach(Stage stage);
    Result<Fd> attach_pinned(const Hook& hook, int program, bool was_there);
    Result<Fd> create_link(const Hook& hook, int program, bool replace);
    Result<void> pin(const Hook& hook, const Fd& link, bool replace) const;
    Result<bool> is_same_program(int program, int link_fd) const;
    void note_missing(const Hook& hook, const Error& reason);
    void note_watch(std::size_t row, bool is_attached) const;
    void reattach(std::size_t row, std::vector<LostHook>& lost);

    [[nodiscard]] LoadedHook& at(Stage stage) { return hooks.at(hook_index(hook_of(stage).name)); }
    [[nodiscard]] bool is_pinned(const Hook& hook) const;
    [[nodiscard]] int map_fd(std::string_view name) const;
    void abandon();
};

} // namespace ballast::kernel

// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include <bpf/bpf.h>
#include <unistd.h>

#include "daemon/kernel/pins.h"
#include "daemon/kernel/probe.h"
#include "daemon/kernel/programs_state.h"

namespace ballast::kernel {

Result<bool> Programs::State::is_same_program(int program, int link_fd) const {
    bpf_link_info of_link{};
    __u32 length = sizeof(of_link);
    if (::bpf_obj_get_info_by_fd(link_fd, &of_link, &length))
        return fail(Error::system("describe a pinned link", errno));
    const Fd pinned(::bpf_prog_get_fd_by_id(of_link.prog_id));
    if (!pinned)
        return fail(Error::system("open the program of a pinned link", errno));
    std::array<bpf_prog_info, 2> infos{};
    const std::array<int, 2> programs{pinned.get(), program};
    for (std::size_t i = 0; i < infos.size(); ++i) {
        length = sizeof(bpf_prog_info);
        if (::bpf_obj_get_info_by_fd(programs.at(i), &infos.at(i), &length))
            return fail(Error::system("describe a program", errno));
    }
    const bool is_elsewhere =
        of_link.type == BPF_LINK_TYPE_CGROUP && of_link.cgroup.cgroup_id != cgroup.id;
    return !is_elsewhere && std::memcmp(infos[0].tag, infos[1].tag, sizeof(infos[0].tag)) == 0;
}

bool Programs::State::is_pinned(const Hook& hook) const {
    return ::access(link_pin(options.bpffs_dir, hook.name).c_str(), F_OK) == 0;
}

Result<void> Programs::State::pin(const Hook& hook, const Fd& link, bool replace) const {
    const std::string pin = link_pin(options.bpffs_dir, hook.name);
    if (replace && ::unlink(pin.c_str()) && errno != ENOENT)
        return fail(Error::system(fmt::format("remove pin {}", pin), errno));
    if (::bpf_obj_pin(link.get(), pin.c_str()))
        return fail(Error::system(fmt::format("pin link {}", pin), errno));
    return {};
}

Result<Fd> Programs::State::create_link(const Hook& hook, int program, bool replace) {
    const int target = hook.is_of_cgroup() ? cgroup.directory.get() : 0;
    Fd made(::bpf_link_create(program, target, hook.type, nullptr));
    if (!made) {
        const int reason = errno;
        const auto error =
            Error::system(fmt::format("attach program {} to {}", hook.name,
                                      hook.is_of_cgroup() ? cgroup.path : "its hook"),
                          reason);
        const bool excluded = hook.is_of_cgroup() && reason == EPERM;
        return fail(excluded ? error.hint("another program may be attached there without allowing "
                                          "others; `bpftool cgroup tree` shows it")
                             : error);
    }
    if (hook.is_pinned())
        if (auto pinned = pin(hook, made, replace); !pinned)
            return fail(pinned.error());
    return made;
}

/// New programs run beside the old for a moment; whatever both do is done once (invariant R2), and
/// a connect() that both admit is counted once (its second reservation replaces the first).
Result<Fd> Programs::State::attach_pinned(const Hook& hook, int program, bool was_there) {
    if (!was_there)
        return create_link(hook, program, false);
    const std::string pin = link_pin(options.bpffs_dir, hook.name);
    Fd pinned(::bpf_obj_get(pin.c_str()));
    if (!pinned)
        return fail(Error::system(fmt::format("open pinned link {}", pin), errno));
    const auto same = is_same_program(program, pinned.get());
    if (!same)
        return fail(same.error());
    if (*same)
        return pinned;
    notices.push_back(
        fmt::format("replaced program {}: this build's differs from the pinned one", hook.name));
    return create_link(hook, program, true);
}

Result<void> Programs::State::attach(std::size_t row, bool was_there) {
    const Hook& hook = kHooks.at(row);
    auto& loaded = hooks.at(row);
    if (!loaded.program)
        return {};
    // an iterator of `unload` is this build's, whichever was there
    auto attached = hook.stage == Stage::unload
                        ? create_link(hook, loaded.program.get(), true)
                        : attach_pinned(hook, loaded.program.get(), was_there);
    if (attached) {
        loaded.link = std::move(*attached);
        note_watch(row, true);
        return {};
    }
    if (!hook.is_optional())
        return fail(attached.error());
    note_missing(hook, attached.error());
    return {};
}

Result<void> Programs::State::attach(Stage stage) {
    for (std::size_t row = 0; row < kHooks.size(); ++row) {
        const Hook& hook = kHooks.at(row);
        if (hook.stage != stage)
            continue;
        const bool was_there = hook.is_permanent() ? adopted : hook.is_pinned() && is_pinned(hook);
        if (auto attached = attach(row, was_there); !attached)
            return attached;
    }
    return {};
}

/// Until sweeps have met what is there (trace_if_needed()).
Result<void> Programs::State::attach_traced() {
    const bool can_watch = maps.control->watches_states && can_watch_sockets();
    __atomic_store_n(&maps.control->can_watch, can_watch ? 1U : 0U, __ATOMIC_SEQ_CST);
    traced_until = maps.control->sweep + sweeps_until_watched;
    return attach(Stage::traced);
}

Result<void> Programs::State::detach(Stage stage) {
    for (std::size_t row = 0; row < kHooks.size(); ++row) {
        if (kHooks.at(row).stage != stage)
            continue;
        const std::string pin = link_pin(options.bpffs_dir, kHooks.at(row).name);
        if (::unlink(pin.c_str()) && errno != ENOENT)
            return fail(Error::system(fmt::format("remove pin {}", pin), errno));
        hooks.at(row).link.reset();
    }
    return {};
}

/// While `state` is not attached, the tracepoint has to see what watched sockets do.
void Programs::State::note_watch(std::size_t row, bool is_attached) const {
    if (row == hook_index("state"))
        __atomic_store_n(&maps.control->watches_states, is_attached ? 1U : 0U, __ATOMIC_SEQ_CST);
}

void Programs::State::note_missing(const Hook& hook, const Error& reason) {
    notices.push_back(fmt::format("this kernel refuses program {}, so {}: {}", hook.name,
                                  hook.without, reason.message()));
}

void Programs::State::reattach(std::size_t row, std::vector<LostHook>& lost) {
    const Hook& hook = kHooks.at(row);
    Fd& link = hooks.at(row).link;
    bpf_link_info info{};
    __u32 length = sizeof(info);
    if (!link || ::bpf_obj_get_info_by_fd(link.get(), &info, &length) ||
        info.type != BPF_LINK_TYPE_CGROUP || info.cgroup.cgroup_id != 0)
        return;
    const Fd program(::bpf_prog_get_fd_by_id(info.prog_id));
    auto made = program ? create_link(hook, program.get(), true)
                        : fail(Error::system("open the program of a lost link", errno));
    note_watch(row, static_cast<bool>(made));
    lost.push_back({std::string(hook.name), made ? "" : made.error().text()});
    if (made)
        link = std::move(*made);
}

} // namespace ballast::kernel

// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/port_hooks.h"

#include <algorithm>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include "bpf/abi_ports.h"
#include "port_hooks.skel.h"

namespace ballast::kernel {

struct PortHooks::State {
    struct Destroy {
        void operator()(port_hooks_bpf* loaded) const { port_hooks_bpf::destroy(loaded); }
    };
    struct Free {
        void operator()(ring_buffer* opened) const { ::ring_buffer__free(opened); }
    };
    std::unique_ptr<port_hooks_bpf, Destroy> skeleton;
    std::unique_ptr<ring_buffer, Free> buffer;
    std::function<void()> on_many;

    /// `wanted`: -1: a map of its own, for a try.
    static Result<std::unique_ptr<State>> load(int wanted);
    Result<void> attach(const CgroupRoot& cgroup);
};

Result<std::unique_ptr<PortHooks::State>> PortHooks::State::load(int wanted) {
    auto state = std::make_unique<State>();
    state->skeleton.reset(port_hooks_bpf::open());
    if (!state->skeleton)
        return fail(Error::system("open the programs that watch local ports", errno));
    if (wanted >= 0)
        if (const int error = ::bpf_map__reuse_fd(state->skeleton->maps.wanted_ports, wanted))
            return fail(Error::system("share map wanted_ports", -error));
    if (const int error = port_hooks_bpf::load(state->skeleton.get()))
        return fail(Error::system("load the programs that watch local ports", -error));
    return state;
}

Result<void> PortHooks::State::attach(const CgroupRoot& cgroup) {
    const auto& programs = skeleton->progs;
    auto& links = skeleton->links;
    const int directory = cgroup.directory.get();
    links.ballast_count_connect4 =
        ::bpf_program__attach_cgroup(programs.ballast_count_connect4, directory);
    links.ballast_count_connect6 =
        ::bpf_program__attach_cgroup(programs.ballast_count_connect6, directory);
    links.ballast_note_bind4 = ::bpf_program__attach_cgroup(programs.ballast_note_bind4, directory);
    links.ballast_note_bind6 = ::bpf_program__attach_cgroup(programs.ballast_note_bind6, directory);
    if (!links.ballast_count_connect4 || !links.ballast_count_connect6 ||
        !links.ballast_note_bind4 || !links.ballast_note_bind6)
        return fail(Error::system("attach the programs that watch local ports", errno));
    const auto take = [](void* context, void*, std::size_t) {
        static_cast<State*>(context)->on_many();
        return 0;
    };
    buffer.reset(
        ::ring_buffer__new(::bpf_map__fd(skeleton->maps.many_connects), take, this, nullptr));
    if (!buffer)
        return fail(Error::system("open ring buffer many_connects", errno));
    return {};
}

PortHooks::PortHooks(std::unique_ptr<State> state) : state_(std::move(state)) {}
PortHooks::~PortHooks() = default;

Result<std::unique_ptr<PortHooks>> PortHooks::attach(const CgroupRoot& cgroup, int wanted,
                                                     std::function<void()> on_many) {
    auto state = State::load(wanted);
    if (!state)
        return fail(state.error());
    (*state)->on_many = std::move(on_many);
    if (auto attached = (*state)->attach(cgroup); !attached)
        return fail(attached.error());
    return std::unique_ptr<PortHooks>(new PortHooks(std::move(*state)));
}

Result<void> PortHooks::allow(std::uint32_t connects) {
    const int cpus = ::libbpf_num_possible_cpus();
    const long online = std::max(::sysconf(_SC_NPROCESSORS_ONLN), 1L);
    ballast_connects each{};
    each.budget = std::max(connects / static_cast<std::uint32_t>(online), 1U);
    const std::vector<ballast_connects> all(static_cast<std::size_t>(std::max(cpus, 1)), each);
    const std::uint32_t first = 0;
    if (::bpf_map_update_elem(::bpf_map__fd(state_->skeleton->maps.connects), &first, all.data(),
                              BPF_ANY))
        return fail(Error::system("write map connects", errno));
    return {};
}

int PortHooks::descriptor() const {
    return ::ring_buffer__epoll_fd(state_->buffer.get());
}

void PortHooks::consume() {
    (void)::ring_buffer__consume(state_->buffer.get());
}

Result<void> PortHooks::try_load() {
    const auto loaded = State::load(-1);
    return loaded ? Result<void>() : fail(loaded.error());
}

} // namespace ballast::kernel

// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/listen_walk.h"

#include <algorithm>
#include <array>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/abi_listening.h"
#include "daemon/kernel/hash_map.h"
#include "daemon/kernel/mapped.h"
#include "daemon/util/clock.h"
#include "listening.skel.h"

namespace ballast::kernel {

namespace {

using ListenPass = ballast_listening_pass;

ListenerCount to_model(std::uint64_t socket, const ballast_listening& one) {
    ListenerCount made;
    made.socket = socket;
    made.netns = one.netns;
    std::ranges::copy(one.address, made.local.address.bytes.begin());
    made.local.port = one.port;
    made.is_dual = one.is_dual != 0;
    made.inode = one.inode;
    made.depth = one.depth;
    made.limit = one.limit;
    made.requests = one.requests;
    made.drops = one.drops;
    made.somaxconn = one.somaxconn;
    made.group = one.group;
    made.group_size = one.group_size;
    made.head = one.head;
    if (one.head != 0 && one.head_us != 0)
        made.head_at = std::chrono::microseconds(one.head_us);
    made.consumer = one.cgroup;
    return made;
}

} // namespace

struct ListenWalk::State {
    struct Destroy {
        void operator()(listening_bpf* loaded) const { listening_bpf::destroy(loaded); }
    };
    std::unique_ptr<listening_bpf, Destroy> skeleton;
    Mapped<ListenPass> pass;
    std::chrono::steady_clock::time_point began;
    std::chrono::nanoseconds cpu{0};

    [[nodiscard]] int rows() const { return ::bpf_map__fd(skeleton->maps.listening); }
};

ListenWalk::ListenWalk(std::unique_ptr<State> state) : state_(std::move(state)) {}
ListenWalk::~ListenWalk() = default;

Result<std::unique_ptr<ListenWalk>> ListenWalk::load() {
    auto state = std::make_unique<State>();
    state->skeleton.reset(listening_bpf::open_and_load());
    if (!state->skeleton)
        return fail(Error::system("load the program that reads listeners", errno));
    auto pass = Mapped<ListenPass>::open(::bpf_map__fd(state->skeleton->maps.listening_pass), 1,
                                         "listening_pass");
    if (!pass)
        return fail(pass.error());
    state->pass = std::move(*pass);
    return std::unique_ptr<ListenWalk>(new ListenWalk(std::move(state)));
}

Result<void> ListenWalk::try_load() {
    const auto walk = load();
    if (!walk)
        return fail(walk.error());
    (*walk)->begin();
    const auto more = (*walk)->step(std::chrono::milliseconds(1));
    return more ? Result<void>() : fail(more.error());
}

void ListenWalk::begin() {
    ListenPass next{};
    next.pass = state_->pass[0].pass + 1;
    state_->pass[0] = next;
    state_->began = now();
    state_->cpu = {};
}

Result<bool> ListenWalk::step(std::chrono::nanoseconds time) {
    const auto start = thread_cpu();
    std::array<__u64, 1> arguments{static_cast<__u64>(time.count())};
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.ctx_in = arguments.data();
    options.ctx_size_in = sizeof arguments;
    const int error = ::bpf_prog_test_run_opts(
        ::bpf_program__fd(state_->skeleton->progs.ballast_listening), &options);
    state_->cpu += thread_cpu() - start;
    if (error != 0)
        return fail(Error::system("run program ballast_listening", -error));
    return state_->pass[0].next != 0;
}

Result<ListenCount> ListenWalk::finish() {
    const auto start = thread_cpu();
    const ListenPass& pass = state_->pass[0];
    const auto rows = read_hash_map<__u64, ballast_listening>(state_->rows(), "listening");
    if (!rows)
        return fail(rows.error());
    ListenCount count;
    count.pass = pass.pass;
    count.began = state_->began;
    count.torn = pass.torn;
    count.unreadable = pass.unreadable;
    count.full = pass.full;
    count.listeners.reserve(rows->size());
    for (const auto& [socket, one] : *rows) {
        if (one.pass == pass.pass)
            count.listeners.push_back(to_model(socket, one));
        else
            (void)::bpf_map_delete_elem(state_->rows(), &socket); // only this thread deletes
    }
    count.cpu = state_->cpu + (thread_cpu() - start);
    return count;
}

} // namespace ballast::kernel

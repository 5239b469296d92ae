// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/connect_relief.h"

#include <algorithm>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include "bpf/abi_relief.h"
#include "daemon/kernel/flows.h"
#include "daemon/kernel/pins.h"
#include "daemon/model/policy.h"
#include "relief.skel.h"

namespace ballast::kernel {

struct DestroyRelief {
    void operator()(relief_bpf* loaded) const { relief_bpf::destroy(loaded); }
};
using ReliefSkeleton = std::unique_ptr<relief_bpf, DestroyRelief>;

namespace {

/// `portless`: of admission; -1: a map of its own, for a try.
Result<ReliefSkeleton> load_relief(int portless) {
    ReliefSkeleton skeleton(relief_bpf::open());
    if (!skeleton)
        return fail(Error::system("open the programs that relieve connect()", errno));
    skeleton->rodata->ticks_per_second = jiffies_per_second();
    if (portless >= 0)
        if (const int error = ::bpf_map__reuse_fd(skeleton->maps.portless, portless))
            return fail(Error::system("share map portless", -error));
    if (const int error = relief_bpf::load(skeleton.get()))
        return fail(Error::system("load the programs that relieve connect()", -error));
    return skeleton;
}

void put_address(__u8 (&bytes)[16], const Address& address) {
    std::ranges::copy(address.bytes, std::begin(bytes));
}

ballast_relief_key to_abi(const ConnectRelief::Key& key) {
    ballast_relief_key made{};
    made.netns_cookie = key.netns_cookie;
    put_address(made.remote, key.remote.address);
    made.remote_port = key.remote.port;
    return made;
}

ballast_relief to_abi(const ConnectRelief::Rule& rule) {
    static_assert(kMaxSources == BALLAST_MAX_SOURCES);
    ballast_relief made{};
    put_address(made.source, rule.source);
    if (rule.high != 0)
        made.what |= BALLAST_RELIEF_OWN_RANGE;
    made.low = rule.low;
    made.high = rule.high;
    if (!rule.sources.empty())
        made.what |= BALLAST_RELIEF_SPREAD;
    made.sources =
        static_cast<__u32>(std::min<std::size_t>(rule.sources.size(), BALLAST_MAX_SOURCES));
    for (std::size_t i = 0; i < made.sources; ++i)
        put_address(made.pool[i], rule.sources.at(i));
    if (rule.refuse_for.count() != 0)
        made.what |= BALLAST_RELIEF_REFUSE;
    made.refuse_ns = static_cast<__u64>(std::chrono::nanoseconds(rule.refuse_for).count());
    return made;
}

} // namespace

struct ConnectRelief::State {
    ReliefSkeleton skeleton;

    [[nodiscard]] int rules() const { return ::bpf_map__fd(skeleton->maps.relieved); }
    [[nodiscard]] int states() const { return ::bpf_map__fd(skeleton->maps.relief_states); }
};

ConnectRelief::ConnectRelief(std::unique_ptr<State> state) : state_(std::move(state)) {}
ConnectRelief::~ConnectRelief() = default;

Result<std::unique_ptr<ConnectRelief>> ConnectRelief::attach(const CgroupRoot& cgroup,
                                                             const std::string& bpffs_dir) {
    const std::string pin = map_pin(bpffs_dir, "portless");
    const Fd portless(::bpf_obj_get(pin.c_str()));
    if (!portless)
        return fail(Error::system(fmt::format("open pinned map {}", pin), errno));
    auto skeleton = load_relief(portless.get());
    if (!skeleton)
        return fail(skeleton.error());
    const auto& programs = (*skeleton)->progs;
    auto& links = (*skeleton)->links;
    links.ballast_relieve4 =
        ::bpf_program__attach_cgroup(programs.ballast_relieve4, cgroup.directory.get());
    links.ballast_relieve6 =
        ::bpf_program__attach_cgroup(programs.ballast_relieve6, cgroup.directory.get());
    links.ballast_exhausted = ::bpf_program__attach(programs.ballast_exhausted);
    if (!links.ballast_relieve4 || !links.ballast_relieve6 || !links.ballast_exhausted)
        return fail(Error::system("attach the programs that relieve connect()", errno));
    auto state = std::make_unique<State>();
    state->skeleton = std::move(*skeleton);
    return std::unique_ptr<ConnectRelief>(new ConnectRelief(std::move(state)));
}

Result<void> ConnectRelief::put(const Key& key, const Rule& rule) {
    const auto at = to_abi(key);
    const auto value = to_abi(rule);
    const ballast_relief_state fresh{};
    // the state first: a rule without one is none
    if (::bpf_map_update_elem(state_->states(), &at, &fresh, BPF_NOEXIST) && errno != EEXIST)
        return fail(Error::system("note a destination to be relieved", errno));
    if (::bpf_map_update_elem(state_->rules(), &at, &value, BPF_ANY))
        return fail(Error::system("note how a destination is relieved", errno));
    return {};
}

void ConnectRelief::remove(const Key& key) {
    const auto at = to_abi(key);
    (void)::bpf_map_delete_elem(state_->rules(), &at);
    (void)::bpf_map_delete_elem(state_->states(), &at);
}

Result<ConnectRelief::Counts> ConnectRelief::counts(const Key& key) const {
    const auto at = to_abi(key);
    ballast_relief_state found{};
    if (::bpf_map_lookup_elem(state_->states(), &at, &found))
        return fail(Error::system("look up a destination that is relieved", errno));
    return Counts{.exhausted = found.exhausted,
                  .refused = found.refused,
                  .given = found.given,
                  .missed = found.missed,
                  .spread = found.spread};
}

Result<void> try_connect_relief() {
    const auto loaded = load_relief(-1);
    return loaded ? Result<void>() : fail(loaded.error());
}

} // namespace ballast::kernel

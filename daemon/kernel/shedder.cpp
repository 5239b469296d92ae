// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/shedder.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/random.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "bpf/abi_shed.h"
#include "daemon/kernel/hash_map.h"
#include "daemon/kernel/ingress.h"
#include "daemon/kernel/pins.h"
#include "shed.skel.h"

namespace ballast::kernel {

struct DestroyShed {
    void operator()(shed_bpf* loaded) const { shed_bpf::destroy(loaded); }
};
using ShedSkeleton = std::unique_ptr<shed_bpf, DestroyShed>;

namespace {

constexpr std::array<std::string_view, 7> shed_maps{"shed_guarded", "shed_rules",  "shed_spared",
                                                    "shed_counts",  "shed_states", "shed_sources",
                                                    "shed_sockets"};

static_assert(kMaxListenerRules == BALLAST_SHED_ROWS - 1);
static_assert(2 * kMaxGuarded == BALLAST_MAX_GUARDED);
static_assert(2 * kMaxSpared == BALLAST_MAX_SPARED);
static_assert(static_cast<int>(ShedAction::rst) == BALLAST_SHED_RST);
static_assert(static_cast<int>(ShedAction::drop) == BALLAST_SHED_DROP);
static_assert(kShedReasonNames.size() == BALLAST_SYN_SHED_RATE - BALLAST_SYN_SHED_AGE + 1);

constexpr std::uint32_t percent(std::uint32_t of) {
    return of * (BALLAST_WHOLE / 100);
}

ballast_guarded_key to_abi(const GuardedAddress& on) {
    ballast_guarded_key key{};
    if (on.address)
        std::ranges::copy(on.address->bytes, std::begin(key.address));
    key.port = on.port;
    return key;
}

ballast_shed_rule to_abi(const ListenerRule& rule) {
    using std::chrono::nanoseconds;
    constexpr std::uint64_t second = 1'000'000'000;
    ballast_shed_rule made{};
    made.mode = static_cast<__u8>(rule.mode);
    made.action = static_cast<__u8>(rule.action);
    made.source_ipv4 = rule.source_ipv4;
    made.source_ipv6 = rule.source_ipv6;
    made.low = percent(rule.low_percent);
    made.high = percent(rule.high_percent);
    made.reserve = rule.spare.empty() ? 0 : percent(rule.spare_percent);
    made.share = percent(rule.share_percent);
    made.target_us = static_cast<__u32>(std::chrono::microseconds(rule.target).count());
    made.interval_ns = static_cast<__u64>(nanoseconds(rule.interval).count());
    if (rule.max_rate != 0) {
        made.rate_interval_ns = second / rule.max_rate;
        made.rate_burst_ns = made.rate_interval_ns * (rule.burst != 0 ? rule.burst : rule.max_rate);
    }
    return made;
}

ballast_spared_key to_abi(const Prefix& prefix, std::uint32_t row) {
    ballast_spared_key key{};
    key.prefix_length = 32U + prefix.length;
    key.rule = row;
    std::ranges::copy(prefix.address.bytes, std::begin(key.address));
    return key;
}

Result<ShedSkeleton> open_skeleton() {
    ShedSkeleton skeleton(shed_bpf::open());
    if (!skeleton)
        return fail(Error::system("open the program that sheds SYNs", errno));
    // with it, addresses could be chosen that are taken for another's
    if (::getrandom(&skeleton->rodata->source_secret, sizeof skeleton->rodata->source_secret, 0) <
        0)
        return fail(Error::system("get random bytes", errno));
    return skeleton;
}

/// Whether the map behind the pin is as this build has it.
bool is_alike(int pinned, const bpf_map* map) {
    bpf_map_info info{};
    __u32 length = sizeof info;
    return ::bpf_obj_get_info_by_fd(pinned, &info, &length) == 0 &&
           info.type == static_cast<__u32>(bpf_map__type(map)) &&
           info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
           info.max_entries == bpf_map__max_entries(map);
}

bpf_map* map_of(const ShedSkeleton& skeleton, std::string_view name) {
    return bpf_object__find_map_by_name(skeleton->obj, std::string(name).c_str());
}

/// All of an earlier daemon's, or none: some of them are gone, or are another build's.
bool reuse_pinned(const ShedSkeleton& skeleton, const std::string& bpffs_dir) {
    std::vector<Fd> pinned;
    for (const auto name : shed_maps) {
        pinned.emplace_back(::bpf_obj_get(map_pin(bpffs_dir, name).c_str()));
        if (!pinned.back() || !is_alike(pinned.back().get(), map_of(skeleton, name)))
            return false;
    }
    for (std::size_t i = 0; i < shed_maps.size(); ++i)
        if (::bpf_map__reuse_fd(map_of(skeleton, shed_maps.at(i)), pinned.at(i).get()))
            return false;
    return true;
}

Result<void> share_control(const ShedSkeleton& skeleton, const std::string& bpffs_dir) {
    const auto pin = map_pin(bpffs_dir, "control");
    const Fd control(::bpf_obj_get(pin.c_str()));
    if (!control)
        return fail(Error::system(fmt::format("open pinned map {}", pin), errno));
    if (const int error = ::bpf_map__reuse_fd(skeleton->maps.control, control.get()))
        return fail(Error::system("share map control", -error));
    return {};
}

ShedCounts to_model(const ballast_shed_counts& from) {
    ShedCounts counts;
    counts.admitted = from.syns[BALLAST_SYN_ADMITTED];
    counts.spared = from.syns[BALLAST_SYN_SPARED];
    for (std::size_t i = 0; i < counts.shed.size(); ++i)
        counts.shed.at(i) = from.syns[BALLAST_SYN_SHED_AGE + i];
    counts.undecided = from.syns[BALLAST_SYN_UNDECIDED];
    counts.withheld = from.withheld;
    counts.guessed = from.guessed;
    counts.unanswered = from.unanswered;
    return counts;
}

void add(ShedCounts& to, const ShedCounts& more) {
    to.admitted += more.admitted;
    to.spared += more.spared;
    for (std::size_t i = 0; i < to.shed.size(); ++i)
        to.shed.at(i) += more.shed.at(i);
    to.undecided += more.undecided;
    to.withheld += more.withheld;
    to.guessed += more.guessed;
    to.unanswered += more.unanswered;
}

} // namespace

struct Shedder::State {
    std::string bpffs_dir;
    ShedSkeleton skeleton;
    std::map<std::uint32_t, Ingress> devices;
    std::vector<ListenerRule> rules;          ///< in force
    std::uint32_t half = 0;                   ///< of the rows, in force
    std::map<std::string, ShedCounts> before; ///< by name: of rows that are others' now

    [[nodiscard]] int fd(std::string_view name) const {
        return ::bpf_map__fd(map_of(skeleton, name));
    }
    [[nodiscard]] std::uint32_t row_of(std::size_t rule) const {
        return half * BALLAST_SHED_ROWS + 1 + static_cast<std::uint32_t>(rule);
    }
    [[nodiscard]] ShedCounts count(std::uint32_t row) const;
    Result<void> pin_maps() const;
    Result<void> find_half();
    Result<void> write_row(std::uint32_t row, const ListenerRule& rule) const;
    Result<void> forget_others() const;
    void keep_counts();
};

ShedCounts Shedder::State::count(std::uint32_t row) const {
    const int cpus = std::max(::libbpf_num_possible_cpus(), 1);
    std::vector<ballast_shed_counts> each(static_cast<std::size_t>(cpus));
    ShedCounts sum;
    if (::bpf_map_lookup_elem(fd("shed_counts"), &row, each.data()) == 0)
        for (const auto& one : each)
            add(sum, to_model(one));
    return sum;
}

Result<void> Shedder::State::pin_maps() const {
    for (const auto name : shed_maps) {
        const auto pin = map_pin(bpffs_dir, name);
        if (::bpf_obj_pin(fd(name), pin.c_str()) && errno != EEXIST)
            return fail(Error::system(fmt::format("pin map {}", pin), errno));
    }
    return {};
}

/// The half that an earlier daemon's policy is in.
Result<void> Shedder::State::find_half() {
    const auto there =
        read_hash_map<ballast_guarded_key, std::uint32_t>(fd("shed_guarded"), "shed_guarded");
    if (!there)
        return fail(there.error());
    half = std::ranges::any_of(*there,
                               [](const auto& one) { return one.second >= BALLAST_SHED_ROWS; });
    return {};
}

Result<void> Shedder::State::write_row(std::uint32_t row, const ListenerRule& rule) const {
    const int cpus = std::max(::libbpf_num_possible_cpus(), 1);
    const std::vector<ballast_shed_counts> none(static_cast<std::size_t>(cpus));
    const ballast_shed_state fresh{};
    const auto made = to_abi(rule);
    if (::bpf_map_update_elem(fd("shed_counts"), &row, none.data(), BPF_ANY) ||
        ::bpf_map_update_elem(fd("shed_states"), &row, &fresh, BPF_ANY) ||
        ::bpf_map_update_elem(fd("shed_rules"), &row, &made, BPF_ANY))
        return fail(Error::system(fmt::format("write the rule of listener {}", rule.name), errno));
    for (const auto& prefix : rule.spare) {
        const auto key = to_abi(prefix, row);
        const __u8 yes = 1;
        if (::bpf_map_update_elem(fd("shed_spared"), &key, &yes, BPF_ANY))
            return fail(Error::system(fmt::format("spare {}", prefix.text()), errno));
    }
    return {};
}

/// What no rule in force guards or spares.
Result<void> Shedder::State::forget_others() const {
    const auto is_ours = [&](std::uint32_t row) { return row / BALLAST_SHED_ROWS == half; };
    const auto guarded =
        read_hash_map<ballast_guarded_key, std::uint32_t>(fd("shed_guarded"), "shed_guarded");
    if (!guarded)
        return fail(guarded.error());
    for (const auto& [key, row] : *guarded)
        if (!is_ours(row))
            (void)::bpf_map_delete_elem(fd("shed_guarded"), &key);
    std::vector<ballast_spared_key> spared;
    ballast_spared_key at{};
    while (::bpf_map_get_next_key(fd("shed_spared"), spared.empty() ? nullptr : &spared.back(),
                                  &at) == 0)
        spared.push_back(at);
    for (const auto& key : spared)
        if (!is_ours(key.rule))
            (void)::bpf_map_delete_elem(fd("shed_spared"), &key);
    return {};
}

void Shedder::State::keep_counts() {
    for (std::size_t i = 0; i < rules.size(); ++i)
        add(before[rules.at(i).name], count(row_of(i)));
}

Shedder::Shedder(std::unique_ptr<State> state) : state_(std::move(state)) {}
Shedder::~Shedder() = default;

Result<std::unique_ptr<Shedder>> Shedder::load(const std::string& bpffs_dir) {
    auto state = std::make_unique<State>();
    state->bpffs_dir = bpffs_dir;
    auto skeleton = open_skeleton();
    if (!skeleton)
        return fail(skeleton.error());
    state->skeleton = std::move(*skeleton);
    if (auto shared = share_control(state->skeleton, bpffs_dir); !shared)
        return fail(shared.error());
    if (!reuse_pinned(state->skeleton, bpffs_dir)) {
        std::vector<std::string> removed;
        if (auto done = remove(bpffs_dir, removed); !done)
            return fail(done.error());
    }
    if (const int error = shed_bpf::load(state->skeleton.get()))
        return fail(Error::system("load the program that sheds SYNs", -error));
    if (auto pinned = state->pin_maps(); !pinned)
        return fail(pinned.error());
    if (auto found = state->find_half(); !found)
        return fail(found.error());
    return std::unique_ptr<Shedder>(new Shedder(std::move(state)));
}

Result<void> Shedder::put(const std::vector<ListenerRule>& rules) {
    auto& state = *state_;
    if (rules == state.rules)
        return {};
    state.keep_counts();
    state.rules.clear(); // until all of it is in force
    state.half = 1 - state.half;
    for (std::size_t i = 0; i < rules.size(); ++i)
        if (auto written = state.write_row(state.row_of(i), rules.at(i)); !written)
            return written;
    for (std::size_t i = 0; i < rules.size(); ++i)
        for (const auto& on : rules.at(i).on) {
            const auto key = to_abi(on);
            const std::uint32_t row = state.row_of(i);
            if (::bpf_map_update_elem(state.fd("shed_guarded"), &key, &row, BPF_ANY))
                return fail(Error::system(fmt::format("guard {}", on.text()), errno));
        }
    state.rules = rules;
    return state.forget_others();
}

Result<void> Shedder::attach(std::uint32_t device) {
    auto& state = *state_;
    auto made = Ingress::attach(::bpf_program__fd(state.skeleton->progs.ballast_shed), device,
                                state.bpffs_dir);
    if (!made)
        return fail(made.error());
    state.devices.insert_or_assign(device, std::move(*made));
    return {};
}

Result<void> Shedder::detach(std::uint32_t device) {
    state_->devices.erase(device);
    std::vector<std::string> removed;
    return Ingress::remove(device, state_->bpffs_dir, removed);
}

std::vector<Shedder::Attachment> Shedder::attachments() const {
    std::vector<Attachment> all;
    for (const auto& [device, ingress] : state_->devices)
        all.push_back({device, ingress.kind(), ingress.is_attached()});
    return all;
}

std::vector<ShedCounts> Shedder::counts() const {
    std::vector<ShedCounts> all;
    for (std::size_t i = 0; i < state_->rules.size(); ++i) {
        all.push_back(state_->count(state_->row_of(i)));
        const auto before = state_->before.find(state_->rules.at(i).name);
        if (before != state_->before.end())
            add(all.back(), before->second);
    }
    return all;
}

std::uint64_t Shedder::undecided() const {
    return state_->count(0).undecided;
}

bool Shedder::is_pinned(const std::string& bpffs_dir) {
    return ::access(map_pin(bpffs_dir, shed_maps.front()).c_str(), F_OK) == 0 ||
           !Ingress::pinned(bpffs_dir).empty();
}

Result<void> Shedder::remove(const std::string& bpffs_dir, std::vector<std::string>& removed) {
    for (const auto device : Ingress::pinned(bpffs_dir))
        if (auto done = Ingress::remove(device, bpffs_dir, removed); !done)
            return done;
    for (const auto name : shed_maps)
        if (auto done = remove_pin(map_pin(bpffs_dir, name), removed); !done)
            return done;
    return {};
}

Result<void> Shedder::try_load() {
    const auto skeleton = open_skeleton();
    if (!skeleton)
        return fail(skeleton.error());
    if (const int error = shed_bpf::load(skeleton->get()))
        return fail(Error::system("load the program that sheds SYNs", -error));
    return {};
}

} // namespace ballast::kernel

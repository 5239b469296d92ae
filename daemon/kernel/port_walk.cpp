// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/port_walk.h"

#include <algorithm>
#include <cstring>
#include <deque>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/abi_ports.h"
#include "daemon/kernel/flows.h"
#include "daemon/kernel/hash_map.h"
#include "daemon/util/clock.h"
#include "ports.skel.h"

namespace ballast::kernel {

namespace {

using Pass = ballast_port_pass;

/// Runs one of the programs with its arguments.
Result<void> run(const bpf_program* program, std::array<__u64, 2> arguments) {
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.ctx_in = arguments.data();
    options.ctx_size_in = sizeof arguments;
    if (const int error = ::bpf_prog_test_run_opts(::bpf_program__fd(program), &options))
        return fail(
            Error::system(fmt::format("run program {}", ::bpf_program__name(program)), -error));
    return {};
}

PortsByParity by_parity(const __u32 (&ports)[2]) {
    return {ports[0], ports[1]};
}

Address address_of(const __u8 (&bytes)[16]) {
    Address address;
    std::ranges::copy(bytes, address.bytes.begin());
    return address;
}

std::uint64_t consumer_of(const ballast_majority& majority) {
    return majority.votes > 0 ? majority.consumer : 0;
}

PortSpace to_model(const ballast_port_space& space) {
    return {.netns = space.netns,
            .low = space.low,
            .high = space.high,
            .reserved = by_parity(space.reserved),
            .poisoned = by_parity(space.poisoned),
            .sockets = space.sockets,
            .minis = space.minis,
            .outside = space.outside,
            .bound_below = space.bound_below,
            .bound_above = space.bound_above,
            .most_minis = space.most_minis,
            .bound = space.bound,
            .binder = consumer_of(space.binders)};
}

TupleKey to_model(const ballast_tuple_key& key) {
    return {key.netns, address_of(key.source), {address_of(key.remote), key.remote_port}};
}

TakenPort to_model(const ballast_port_key& port, const ballast_wanted& wanted) {
    return {.netns = wanted.holder.netns,
            .port = static_cast<std::uint16_t>(port.port),
            .pid = wanted.pid,
            .comm = std::string(wanted.comm, ::strnlen(wanted.comm, sizeof wanted.comm)),
            .cgroup = wanted.cgroup,
            .holder = to_model(wanted.holder),
            .holder_cgroup = wanted.holder_cgroup};
}

TupleCount to_model(const ballast_tuple_key& key, const ballast_tuple& tuple, std::uint32_t hz) {
    static_assert(TupleCount::ends_steps == BALLAST_ENDS);
    static_assert(TupleCount::ends_step.count() == BALLAST_ENDS_SECONDS);
    TupleCount made;
    made.key = to_model(key);
    made.used = by_parity(tuple.used);
    made.unchosen = tuple.unchosen;
    made.connecting = tuple.connecting;
    made.established = tuple.established;
    made.close_wait = tuple.close_wait;
    made.closing = tuple.closing;
    made.time_wait = tuple.time_wait;
    made.reusable = tuple.reusable;
    made.fin_wait2 = tuple.fin_wait2;
    made.ended = tuple.ended;
    made.self_connected = tuple.self_connected;
    made.consumer = consumer_of(tuple.consumers);
    made.is_partial = tuple.is_partial != 0;
    if (tuple.next_end != ~0U)
        made.next_end = std::chrono::milliseconds(std::uint64_t{tuple.next_end} * 1000 / hz);
    std::ranges::copy(tuple.ends, made.ends.begin());
    return made;
}

/// Deletes what earlier passes left: of `all`, what is_current() is false of. Returns the rest.
template <typename Key, typename Value, typename IsCurrent>
void keep_current(int map, std::vector<std::pair<Key, Value>>& all, IsCurrent is_current) {
    std::erase_if(all, [&](const auto& element) {
        if (is_current(element.second))
            return false;
        (void)::bpf_map_delete_elem(map, &element.first); // only this thread deletes
        return true;
    });
}

} // namespace

struct PortWalk::State {
    /// What a pass goes through, in this order.
    enum class Part { bound, shared, own, done };
    struct Destroy {
        void operator()(ports_bpf* loaded) const { ports_bpf::destroy(loaded); }
    };

    std::unique_ptr<ports_bpf, Destroy> skeleton;
    Mapped<Pass> pass;
    std::uint32_t hz = 0;
    Part part = Part::done;
    std::deque<std::uint64_t> tables; ///< addresses of namespaces that have one of their own
    std::optional<std::chrono::steady_clock::time_point> began; ///< the last pass, if there was one
    std::optional<std::chrono::nanoseconds> since;              ///< from the one before to it
    std::chrono::nanoseconds cpu{0};
};

PortWalk::PortWalk(std::unique_ptr<State> state) : state_(std::move(state)) {}
PortWalk::~PortWalk() = default;

Result<std::unique_ptr<PortWalk>> PortWalk::load() {
    auto state = std::make_unique<State>();
    state->skeleton.reset(ports_bpf::open_and_load());
    if (!state->skeleton)
        return fail(Error::system("load the programs that count local ports", errno));
    auto pass = Mapped<Pass>::open(::bpf_map__fd(state->skeleton->maps.port_pass), 1, "port_pass");
    if (!pass)
        return fail(pass.error());
    state->pass = std::move(*pass);
    state->hz = jiffies_per_second();
    return std::unique_ptr<PortWalk>(new PortWalk(std::move(state)));
}

void PortWalk::begin(std::uint32_t least) {
    Pass next{};
    next.pass = state_->pass[0].pass + 1;
    next.least = least;
    next.ticks_per_second = state_->hz;
    next.since = state_->pass[0].began;
    ballast_port_key any{};
    next.is_any_wanted = ::bpf_map_get_next_key(wanted(), nullptr, &any) == 0;
    state_->pass[0] = next;
    state_->part = State::Part::bound;
    state_->tables.clear();
    const auto began = std::chrono::steady_clock::now();
    state_->since = state_->began ? std::optional(began - *state_->began) : std::nullopt;
    state_->began = began;
    state_->cpu = {};
}

Result<bool> PortWalk::step(std::chrono::nanoseconds time) {
    const auto start = thread_cpu();
    auto has_more = step_through(time);
    state_->cpu += thread_cpu() - start;
    return has_more;
}

/// Those that have a hash table of their own are known once the bind table is through, in which
/// every namespace with a connection is met.
Result<void> PortWalk::find_tables() {
    auto spaces = read_hash_map<__u64, ballast_port_space>(
        ::bpf_map__fd(state_->skeleton->maps.port_spaces), "port_spaces");
    if (!spaces)
        return fail(spaces.error());
    for (const auto& [address, space] : *spaces)
        if (space.pass == state_->pass[0].pass && space.has_table)
            state_->tables.push_back(address);
    return {};
}

Result<bool> PortWalk::step_through(std::chrono::nanoseconds time) {
    using Part = State::Part;
    if (state_->part == Part::done)
        return false;
    const bool is_bound = state_->part == Part::bound;
    const auto* program = is_bound ? state_->skeleton->progs.ballast_bound_ports
                                   : state_->skeleton->progs.ballast_connected_ports;
    const std::uint64_t table = state_->part == Part::own ? state_->tables.front() : 0;
    if (auto ran = run(program, {static_cast<__u64>(time.count()), table}); !ran)
        return fail(ran.error());
    if (state_->pass[0].next != 0)
        return true;
    if (is_bound) {
        state_->part = Part::shared;
        if (auto found = find_tables(); !found)
            return fail(found.error());
        return true;
    }
    if (state_->part == Part::own)
        state_->tables.pop_front();
    state_->part = state_->tables.empty() ? Part::done : Part::own;
    return state_->part != Part::done;
}

int PortWalk::wanted() const {
    return ::bpf_map__fd(state_->skeleton->maps.wanted_ports);
}

/// Those that the pass has looked at are done with, unless it is made again.
Result<std::vector<TakenPort>> PortWalk::take_wanted(bool is_exact) {
    std::vector<TakenPort> taken;
    if (state_->pass[0].is_any_wanted == 0)
        return taken;
    const auto all = read_hash_map<ballast_port_key, ballast_wanted>(wanted(), "wanted_ports");
    if (!all)
        return fail(all.error());
    const auto began = static_cast<std::uint64_t>(
        std::chrono::nanoseconds(state_->began->time_since_epoch()).count());
    for (const auto& [port, one] : *all) {
        if (one.pass == state_->pass[0].pass && one.holder.netns != 0)
            taken.push_back(to_model(port, one));
        if (is_exact && one.at_ns < began)
            (void)::bpf_map_delete_elem(wanted(), &port); // the kernel may have recycled it
    }
    return taken;
}

Result<PortCount> PortWalk::finish() {
    const auto start = thread_cpu();
    const Pass& pass = state_->pass[0];
    const auto& maps = state_->skeleton->maps;
    auto tuples =
        read_hash_map<ballast_tuple_key, ballast_tuple>(::bpf_map__fd(maps.tuples), "tuples");
    auto spaces =
        read_hash_map<__u64, ballast_port_space>(::bpf_map__fd(maps.port_spaces), "port_spaces");
    auto poisoned = read_hash_map<ballast_port_key, __u32>(::bpf_map__fd(maps.poisoned_ports),
                                                           "poisoned_ports");
    if (!tuples || !spaces || !poisoned)
        return fail(!tuples ? tuples.error() : !spaces ? spaces.error() : poisoned.error());
    const auto is_of_pass = [&](const auto& value) { return value.pass == pass.pass; };
    keep_current(::bpf_map__fd(maps.tuples), *tuples, is_of_pass);
    keep_current(::bpf_map__fd(maps.port_spaces), *spaces, is_of_pass);
    keep_current(::bpf_map__fd(maps.poisoned_ports), *poisoned,
                 [&](std::uint32_t number) { return number == pass.pass; });
    auto taken = take_wanted(pass.torn + pass.unreadable == 0);
    if (!taken)
        return fail(taken.error());
    PortCount count;
    count.taken = std::move(*taken);
    count.pass = pass.pass;
    count.began = *state_->began;
    count.since = state_->since;
    count.sockets = pass.sockets;
    count.least = pass.least;
    count.left_out = pass.left_out;
    count.torn = pass.torn;
    count.unreadable = pass.unreadable;
    count.full = pass.full;
    count.tuples.reserve(tuples->size());
    for (const auto& [key, tuple] : *tuples)
        count.tuples.push_back(to_model(key, tuple, state_->hz));
    for (const auto& [address, space] : *spaces)
        count.spaces.emplace(space.netns, to_model(space));
    count.cpu = state_->cpu + (thread_cpu() - start);
    return count;
}

} // namespace ballast::kernel

// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/programs.h"

#include <array>
#include <cstring>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include "ballast.skel.h"
#include "daemon/kernel/bpffs.h"
#include "daemon/kernel/flows.h"
#include "daemon/kernel/pinned.h"
#include "daemon/kernel/pins.h"

namespace ballast::kernel {

namespace {

/// Output of the verifier and libbpf for the load under way, kept for the error text; bounded.
std::string load_log;

int keep_log(libbpf_print_level level, const char* format, va_list arguments) {
    constexpr std::size_t most = 16 * 1024;
    if (level == LIBBPF_DEBUG)
        return 0;
    va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, format, again);
    va_end(again);
    std::string line(length > 0 ? static_cast<std::size_t>(length) + 1 : 1, '\0');
    std::vsnprintf(line.data(), line.size(), format, arguments);
    line.pop_back();
    load_log += line; // the verifier's log comes as one message, its verdict last
    if (load_log.size() > most)
        load_log.erase(0, load_log.size() - most);
    return length;
}

std::string last_lines(const std::string& log) {
    constexpr std::size_t most = 1024;
    return log.size() > most ? "..." + log.substr(log.size() - most) : log;
}

} // namespace

struct CloseSkeleton {
    void operator()(ballast_bpf* skeleton) const { ballast_bpf::destroy(skeleton); }
};

/// A program and where it is attached.
struct Hook {
    std::string_view name; ///< of the link's pin
    int program;
    bpf_attach_type type;
};

struct Programs::State {
    LoadOptions options;
    Fd owner; ///< lock on the pins
    bool is_owner = false;
    std::unique_ptr<ballast_bpf, CloseSkeleton> skeleton;
    std::array<Fd, pinned_links.size()> links;
    Fd tune_program;
    Fd tune_link;
    Fd report_program;
    Fd sweep_link;
    Fd files_link; ///< none where the kernel refuses it
    Maps maps;
    CgroupRoot cgroup;
    bool adopted = false;
    std::vector<std::string> notices;

    Result<void> prepare_and_lock();
    Result<void> prepare_pins();
    Result<void> open_and_load();
    Result<void> load_skeleton(bool with_files);
    void note_no_files(const Error& reason);
    Result<void> reuse_pinned_maps();
    Result<void> pin_maps();
    Result<void> map_memory();
    void stamp_control();
    Result<void> attach(std::size_t link);
    Result<Fd> attach(const Hook& hook, bool was_there);
    Result<Fd> create_link(const Hook& hook, bool replace);
    Result<void> create_sweep_links();
    Result<void> pin_restore_link();
    Result<void> keep_tune();
    Result<void> keep_report();
    Result<void> attach_tune();
    void abandon();
    void reattach(std::string_view name, bpf_attach_type type, Fd& link,
                  std::vector<LostHook>& lost);
    Result<bool> is_same_program(const Hook& hook, int link_fd) const;
    [[nodiscard]] Hook hook(std::size_t link) const;
    [[nodiscard]] Hook tune() const;
    [[nodiscard]] int map_fd(std::string_view name) const;
};

Hook Programs::State::hook(std::size_t link) const {
    const std::array<bpf_program*, pinned_links.size()> programs{
        skeleton->progs.ballast_set_state,  skeleton->progs.ballast_destroy,
        skeleton->progs.ballast_retransmit, skeleton->progs.ballast_reset,
        skeleton->progs.ballast_error,      skeleton->progs.ballast_connect4,
        skeleton->progs.ballast_connect6};
    bpf_program* const program = programs.at(link);
    return {pinned_links.at(link), bpf_program__fd(program),
            bpf_program__expected_attach_type(program)};
}

Hook Programs::State::tune() const {
    return {tune_link_name, tune_program.get(), BPF_CGROUP_SOCK_OPS};
}

int Programs::State::map_fd(std::string_view name) const {
    return bpf_object__find_map_fd_by_name(skeleton->obj, std::string(name).c_str());
}

Result<void> Programs::State::prepare_and_lock() {
    if (auto ready = prepare_bpffs(options.bpffs_dir, options.runtime_dir); !ready)
        return ready;
    auto lock = lock_pins(options.bpffs_dir);
    if (!lock)
        return fail(lock.error());
    owner = std::move(*lock);
    is_owner = true;
    return {};
}

Result<void> Programs::State::prepare_pins() {
    if (auto ready = prepare_and_lock(); !ready)
        return ready;
    const auto state = inspect_pins(options.bpffs_dir);
    if (!state)
        return fail(state.error());
    adopted = *state == PinState::complete;
    if (*state != PinState::incomplete)
        return {};
    notices.push_back(fmt::format("removed pins of a load that was cut short at {}; its counts are "
                                  "taken anew from the host's sockets",
                                  options.bpffs_dir));
    if (auto removed = remove_pins(options.bpffs_dir); !removed)
        return fail(removed.error());
    return prepare_and_lock();
}

Result<void> Programs::State::reuse_pinned_maps() {
    for (const auto name : pinned_maps) {
        const std::string pin = map_pin(options.bpffs_dir, name);
        const Fd pinned(::bpf_obj_get(pin.c_str()));
        bpf_map* map = bpf_object__find_map_by_name(skeleton->obj, std::string(name).c_str());
        if (!pinned || !map)
            return fail(Error::system(fmt::format("open pinned map {}", pin), errno));
        if (const int error = ::bpf_map__reuse_fd(map, pinned.get()))
            return fail(Error::system(fmt::format("reuse pinned map {}", pin), -error));
    }
    return {};
}

/// The pass over files makes sweeps cheap, which can be done without.
Result<void> Programs::State::open_and_load() {
    auto loaded = load_skeleton(true);
    if (loaded || !load_skeleton(false))
        return loaded;
    note_no_files(loaded.error());
    return {};
}

void Programs::State::note_no_files(const Error& reason) {
    notices.push_back(fmt::format("this kernel has no iterator over files, so each sweep visits "
                                  "every network namespace: {}",
                                  reason.message()));
}

Result<void> Programs::State::load_skeleton(bool with_files) {
    load_log.clear();
    libbpf_set_print(keep_log);
    skeleton.reset(ballast_bpf::open());
    if (!skeleton)
        return fail(Error::system("open the embedded programs", errno));
    ::bpf_program__set_autoload(skeleton->progs.ballast_sweep_files, with_files);
    if (adopted)
        if (auto reused = reuse_pinned_maps(); !reused)
            return reused;
    if (const int error = ballast_bpf::load(skeleton.get()))
        return fail(Error::system("load the programs", -error)
                        .context(last_lines(load_log))
                        .hint("`ballast check` names what this kernel lacks"));
    return {};
}

Result<void> Programs::State::pin_maps() {
    if (adopted)
        return {};
    for (const auto name : pinned_maps) {
        const std::string pin = map_pin(options.bpffs_dir, name);
        if (::bpf_obj_pin(map_fd(name), pin.c_str()))
            return fail(Error::system(fmt::format("pin map {}", pin), errno));
    }
    return {};
}

Result<void> Programs::State::map_memory() {
    const auto take = [](auto& mapped, auto opened) -> Result<void> {
        if (!opened)
            return fail(opened.error());
        mapped = std::move(*opened);
        return {};
    };
    const auto open = [&](auto& mapped, std::size_t count, const char* name) {
        return take(mapped, mapped.open(map_fd(name), count, name));
    };
    const auto reserve = [&](auto& mapped, std::size_t count, const char* name) {
        return take(mapped, mapped.reserve(map_fd(name), count, name));
    };
    return open(maps.control, 1, "control")
        .and_then([&] { return open(maps.counters, 1, "counters"); })
        .and_then([&] { return open(maps.services, BALLAST_SERVICE_ROWS, "services"); })
        .and_then([&] {
            return reserve(maps.alternatives, 2UL * BALLAST_MAX_ALTERNATIVES, "alternatives");
        })
        .and_then([&] { return open(maps.from_patterns, 2UL * BALLAST_MAX_FROM, "from_patterns"); })
        .and_then([&] { return open(maps.totals, BALLAST_MAX_SERVICES, "totals"); })
        .and_then([&] { return reserve(maps.consumers, BALLAST_MAX_CONSUMERS, "consumers"); })
        .and_then([&] { return reserve(maps.breakers, BALLAST_MAX_BREAKERS, "breakers"); })
        .and_then([&] { return reserve(maps.shares, BALLAST_MAX_SHARES, "shares"); })
        .and_then(
            [&] { return reserve(maps.destinations, BALLAST_MAX_DESTINATIONS, "destinations"); })
        .and_then([&] { return open(maps.reservations, BALLAST_BUCKETS, "reservations"); })
        .and_then([&] { return open(maps.seen, BALLAST_BUCKETS, "seen"); })
        .and_then([&] { return open(maps.service_names, BALLAST_MAX_SERVICES, "service_names"); })
        .and_then([&] { return open(maps.sweep_totals, 1, "sweep_totals"); })
        .and_then([&]() -> Result<void> {
            maps.policy = Fd(::dup(map_fd("policy")));
            maps.destination_index = Fd(::dup(map_fd("destination_index")));
            maps.free_destinations = Fd(::dup(map_fd("free_destinations")));
            maps.free_breakers = Fd(::dup(map_fd("free_breakers")));
            maps.events = Fd(::dup(map_fd("events")));
            maps.suspicions = Fd(::dup(map_fd("suspicions")));
            maps.consumer_index = Fd(::dup(map_fd("consumer_index")));
            maps.free_consumers = Fd(::dup(map_fd("free_consumers")));
            maps.share_index = Fd(::dup(map_fd("share_index")));
            maps.free_shares = Fd(::dup(map_fd("free_shares")));
            return {};
        });
}

void Programs::State::stamp_control() {
    maps.control->abi_version = BALLAST_ABI_VERSION;
    maps.control->ticks_per_second = jiffies_per_second();
    if (!maps.control->next_consumer)
        maps.control->next_consumer = 1; // consumer 0 is nobody
    if (!maps.control->next_breaker)
        maps.control->next_breaker = 1; // breaker 0 is none
    maps.control->confined_cgroup = cgroup.level ? cgroup.id : 0;
    maps.control->confined_level = cgroup.level;
}

Result<bool> Programs::State::is_same_program(const Hook& hook, int link_fd) const {
    bpf_link_info of_link{};
    __u32 length = sizeof(of_link);
    if (::bpf_obj_get_info_by_fd(link_fd, &of_link, &length))
        return fail(Error::system("describe a pinned link", errno));
    const Fd pinned(::bpf_prog_get_fd_by_id(of_link.prog_id));
    if (!pinned)
        return fail(Error::system("open the program of a pinned link", errno));
    std::array<bpf_prog_info, 2> infos{};
    const std::array<int, 2> programs{pinned.get(), hook.program};
    for (std::size_t i = 0; i < infos.size(); ++i) {
        length = sizeof(bpf_prog_info);
        if (::bpf_obj_get_info_by_fd(programs.at(i), &infos.at(i), &length))
            return fail(Error::system("describe a program", errno));
    }
    const bool is_elsewhere =
        of_link.type == BPF_LINK_TYPE_CGROUP && of_link.cgroup.cgroup_id != cgroup.id;
    return !is_elsewhere && std::memcmp(infos[0].tag, infos[1].tag, sizeof(infos[0].tag)) == 0;
}

Result<Fd> Programs::State::create_link(const Hook& hook, bool replace) {
    const bool is_tracing = hook.type == BPF_TRACE_RAW_TP;
    const int target = is_tracing ? 0 : cgroup.directory.get();
    Fd made(::bpf_link_create(hook.program, target, hook.type, nullptr));
    if (!made) {
        const int reason = errno;
        const auto error = Error::system(fmt::format("attach program {} to {}", hook.name,
                                                     is_tracing ? "its tracepoint" : cgroup.path),
                                         reason);
        const bool excluded = !is_tracing && reason == EPERM;
        return fail(excluded ? error.hint("another program may be attached there without allowing "
                                          "others; `bpftool cgroup tree` shows it")
                             : error);
    }
    const std::string pin = link_pin(options.bpffs_dir, hook.name);
    if (replace && ::unlink(pin.c_str()) && errno != ENOENT)
        return fail(Error::system(fmt::format("remove pin {}", pin), errno));
    if (::bpf_obj_pin(made.get(), pin.c_str()))
        return fail(Error::system(fmt::format("pin link {}", pin), errno));
    return made;
}

/// New programs run beside the old for a moment; whatever both do is done once (invariant R2), and
/// a connect() that both admit is counted once (its second reservation replaces the first).
Result<Fd> Programs::State::attach(const Hook& hook, bool was_there) {
    if (!was_there)
        return create_link(hook, false);
    const std::string pin = link_pin(options.bpffs_dir, hook.name);
    Fd pinned(::bpf_obj_get(pin.c_str()));
    if (!pinned)
        return fail(Error::system(fmt::format("open pinned link {}", pin), errno));
    const auto same = is_same_program(hook, pinned.get());
    if (!same)
        return fail(same.error());
    if (*same)
        return pinned;
    notices.push_back(
        fmt::format("replaced program {}: this build's differs from the pinned one", hook.name));
    return create_link(hook, true);
}

Result<void> Programs::State::attach(std::size_t link) {
    auto attached = attach(hook(link), adopted);
    if (!attached)
        return fail(attached.error());
    links.at(link) = std::move(*attached);
    return {};
}

/// Tuning goes on where an earlier daemon left it attached.
Result<void> Programs::State::keep_tune() {
    tune_program = Fd(::dup(bpf_program__fd(skeleton->progs.ballast_tune)));
    if (!tune_program)
        return fail(Error::system("keep program tune", errno));
    const std::string pin = link_pin(options.bpffs_dir, tune_link_name);
    if (::access(pin.c_str(), F_OK))
        return {};
    return attach_tune();
}

Result<void> Programs::State::attach_tune() {
    const std::string pin = link_pin(options.bpffs_dir, tune_link_name);
    auto attached = attach(tune(), ::access(pin.c_str(), F_OK) == 0);
    if (!attached)
        return fail(attached.error());
    tune_link = std::move(*attached);
    return {};
}

Result<void> Programs::State::keep_report() {
    report_program = Fd(::dup(bpf_program__fd(skeleton->progs.ballast_report)));
    return report_program ? Result<void>() : fail(Error::system("keep program report", errno));
}

Result<void> Programs::State::create_sweep_links() {
    const int sweep = bpf_program__fd(skeleton->progs.ballast_sweep);
    sweep_link = Fd(::bpf_link_create(sweep, 0, BPF_TRACE_ITER, nullptr));
    if (!sweep_link)
        return fail(Error::system("create the socket iterator", errno));
    const int files = bpf_program__fd(skeleton->progs.ballast_sweep_files);
    if (files < 0)
        return {};
    files_link = Fd(::bpf_link_create(files, 0, BPF_TRACE_ITER, nullptr));
    if (!files_link)
        note_no_files(Error::system("create the iterator over files", errno));
    return {};
}

/// `ballast unload` may have to restore with no daemon there, so its iterator is pinned.
Result<void> Programs::State::pin_restore_link() {
    const std::string pin = link_pin(options.bpffs_dir, restore_link_name);
    const int restore = bpf_program__fd(skeleton->progs.ballast_restore);
    const Fd link(::bpf_link_create(restore, 0, BPF_TRACE_ITER, nullptr));
    if (!link)
        return fail(Error::system("create the iterator that restores sockets", errno));
    if (::unlink(pin.c_str()) && errno != ENOENT)
        return fail(Error::system(fmt::format("remove pin {}", pin), errno));
    if (::bpf_obj_pin(link.get(), pin.c_str()))
        return fail(Error::system(fmt::format("pin link {}", pin), errno));
    return {};
}

/// A first load that failed leaves nothing behind; pins that were there before stay.
void Programs::State::abandon() {
    if (!is_owner || adopted)
        return;
    owner.reset(); // unload() takes it
    (void)unload(options.bpffs_dir, options.runtime_dir);
}

Programs::Programs(std::unique_ptr<State> state) : state_(std::move(state)) {}
Programs::~Programs() = default;
Programs::Programs(Programs&&) noexcept = default;
Programs& Programs::operator=(Programs&&) noexcept = default;

Result<Programs> Programs::load(const LoadOptions& options) {
    auto state = std::make_unique<State>();
    state->options = options;
    auto cgroup = open_cgroup(options.cgroup);
    if (!cgroup)
        return fail(cgroup.error());
    state->cgroup = std::move(*cgroup);
    State* const s = state.get();
    auto loaded = s->prepare_pins()
                      .and_then([&] { return s->open_and_load(); })
                      .and_then([&] { return s->pin_maps(); })
                      .and_then([&] { return s->map_memory(); })
                      .and_then([&]() -> Result<void> {
                          s->stamp_control();
                          return s->attach(0);
                      })
                      .and_then([&] { return s->attach(1); });
    loaded = loaded.and_then([&] { return s->pin_restore_link(); })
                 .and_then([&] { return s->keep_tune(); })
                 .and_then([&] { return s->keep_report(); })
                 .and_then([&] { return s->create_sweep_links(); });
    if (!loaded) {
        s->abandon();
        return fail(loaded.error());
    }
    return Programs(std::move(state));
}

Result<void> Programs::attach_admission() {
    for (std::size_t link = 2; link < pinned_links.size(); ++link)
        if (auto attached = state_->attach(link); !attached)
            return attached;
    __atomic_store_n(&state_->maps.control->ready, 1, __ATOMIC_SEQ_CST);
    state_->skeleton.reset(); // links and maps hold what is needed; the ELF image is not
    return {};
}

void Programs::State::reattach(std::string_view name, bpf_attach_type type, Fd& link,
                               std::vector<LostHook>& lost) {
    bpf_link_info info{};
    __u32 length = sizeof(info);
    if (!link || ::bpf_obj_get_info_by_fd(link.get(), &info, &length) ||
        info.type != BPF_LINK_TYPE_CGROUP || info.cgroup.cgroup_id != 0)
        return;
    const Fd program(::bpf_prog_get_fd_by_id(info.prog_id));
    auto made = program ? create_link({name, program.get(), type}, true)
                        : fail(Error::system("open the program of a lost link", errno));
    lost.push_back({std::string(name), made ? "" : made.error().text()});
    if (made)
        link = std::move(*made);
}

std::vector<LostHook> Programs::reattach_lost() {
    std::vector<LostHook> lost;
    for (std::size_t i = 0; i < pinned_links.size(); ++i) {
        const auto name = pinned_links.at(i);
        const auto type = name == "connect4" ? BPF_CGROUP_INET4_CONNECT : BPF_CGROUP_INET6_CONNECT;
        state_->reattach(name, type, state_->links.at(i), lost);
    }
    state_->reattach(tune_link_name, BPF_CGROUP_SOCK_OPS, state_->tune_link, lost);
    return lost;
}

Result<void> Programs::start_tuning() {
    if (!state_->tune_link)
        if (auto attached = state_->attach_tune(); !attached)
            return attached;
    __atomic_store_n(&state_->maps.control->tuning, 1, __ATOMIC_SEQ_CST);
    return {};
}

void Programs::stop_tuning() {
    __atomic_store_n(&state_->maps.control->tuning, 0, __ATOMIC_SEQ_CST);
}

Result<void> Programs::detach_tune() {
    if (!state_->tune_link)
        return {};
    const std::string pin = link_pin(state_->options.bpffs_dir, tune_link_name);
    if (::unlink(pin.c_str()) && errno != ENOENT)
        return fail(Error::system(fmt::format("remove pin {}", pin), errno));
    state_->tune_link.reset();
    return {};
}

bool Programs::is_tune_attached() const {
    return static_cast<bool>(state_->tune_link);
}

Maps& Programs::maps() {
    return state_->maps;
}
int Programs::report_program() const {
    return state_->report_program.get();
}
Sweeper::Links Programs::sweep_links() const {
    return {.sockets = state_->sweep_link.get(), .files = state_->files_link.get()};
}
bool Programs::adopted() const {
    return state_->adopted;
}
const CgroupRoot& Programs::cgroup() const {
    return state_->cgroup;
}
const std::vector<std::string>& Programs::notices() const {
    return state_->notices;
}

} // namespace ballast::kernel

// SPDX-License-Identifier: Apache-2.0
#include <cstdarg>
#include <cstdio>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include "daemon/kernel/bpffs.h"
#include "daemon/kernel/flows.h"
#include "daemon/kernel/pinned.h"
#include "daemon/kernel/pins.h"
#include "daemon/kernel/programs_state.h"

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

namespace {

std::string program_name(const Hook& hook) {
    return fmt::format("ballast_{}", hook.name);
}

bpf_program* program_of(const ballast_bpf& skeleton, const Hook& hook) {
    return bpf_object__find_program_by_name(skeleton.obj, program_name(hook).c_str());
}

} // namespace

/// What is optional can be done without: if anything fails, once more without it.
Result<void> Programs::State::open_and_load() {
    auto loaded = load_skeleton(true);
    if (loaded || !load_skeleton(false))
        return loaded;
    for (const auto& hook : kHooks)
        if (hook.is_optional())
            note_missing(hook, loaded.error());
    return {};
}

Result<void> Programs::State::load_skeleton(bool with_optional) {
    load_log.clear();
    libbpf_set_print(keep_log);
    skeleton.reset(ballast_bpf::open());
    if (!skeleton)
        return fail(Error::system("open the embedded programs", errno));
    for (const auto& hook : kHooks)
        if (hook.is_optional())
            ::bpf_program__set_autoload(program_of(*skeleton, hook), with_optional);
    if (adopted)
        if (auto reused = reuse_pinned_maps(); !reused)
            return reused;
    if (const int error = ballast_bpf::load(skeleton.get()))
        return fail(Error::system("load the programs", -error)
                        .context(last_lines(load_log))
                        .hint("`ballast check` names what this kernel lacks"));
    return {};
}

/// They outlive the skeleton, whose ELF image is not needed for long.
Result<void> Programs::State::keep_programs() {
    for (std::size_t row = 0; row < kHooks.size(); ++row) {
        const bpf_program* program = program_of(*skeleton, kHooks.at(row));
        const int descriptor = program ? bpf_program__fd(program) : -ENOENT;
        if (descriptor >= 0)
            hooks.at(row).program = Fd(::dup(descriptor));
        if (!hooks.at(row).program && !kHooks.at(row).is_optional())
            return fail(Error::system(fmt::format("keep program {}", kHooks.at(row).name),
                                      descriptor < 0 ? -descriptor : errno));
    }
    report_program = Fd(::dup(bpf_program__fd(skeleton->progs.ballast_report)));
    return report_program ? Result<void>() : fail(Error::system("keep program report", errno));
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
        .and_then([&] { return open(maps.makers, 1, "makers"); })
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

/// A first load that failed leaves nothing behind; pins that were there before stay.
void Programs::State::abandon() {
    if (!is_owner || adopted)
        return;
    owner.reset(); // unload() takes it
    (void)unload(options.bpffs_dir, options.runtime_dir);
}

} // namespace ballast::kernel

// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/pinned.h"

#include <ctime>

#include <bpf/bpf.h>

#include "daemon/kernel/bpffs.h"
#include "daemon/kernel/mapped.h"
#include "daemon/kernel/pins.h"

#include "bpf/abi.h"

namespace ballast::kernel {

namespace {

/// A daemon that was just asked to stop still has to exit.
Result<Fd> lock_when_owner_ends(const std::string& bpffs_dir) {
    constexpr int tries = 50;
    constexpr timespec pause{.tv_sec = 0, .tv_nsec = 100'000'000};
    auto lock = lock_pins(bpffs_dir);
    for (int i = 1; i < tries && !lock && lock.error().errno_value() == EWOULDBLOCK; ++i) {
        ::nanosleep(&pause, nullptr);
        lock = lock_pins(bpffs_dir);
    }
    return lock;
}

} // namespace

Result<bool> set_armed(const std::string& bpffs_dir, bool armed) {
    const auto state = inspect_pins(bpffs_dir);
    if (!state)
        return fail(state.error());
    if (*state == PinState::none)
        return fail(Error(fmt::format("nothing is loaded: no pins at {}", bpffs_dir), ENOENT)
                        .hint("start ballastd, or pass --bpffs the directory it was started with"));
    const std::string pin = map_pin(bpffs_dir, "control");
    const Fd map(::bpf_obj_get(pin.c_str()));
    if (!map)
        return fail(Error::system(fmt::format("open pinned map {}", pin), errno));
    const auto control = Mapped<ballast_control>::open(map.get(), 1, "control");
    if (!control)
        return fail(control.error());
    const __u32 disarmed = armed ? 0 : 1;
    return __atomic_exchange_n(&(*control)->disarmed, disarmed, __ATOMIC_SEQ_CST) == 0;
}

Result<std::vector<std::string>> unload(const std::string& bpffs_dir,
                                        const std::string& runtime_dir) {
    // A daemon that holds the links would keep the programs attached without their pins.
    auto owner = lock_when_owner_ends(bpffs_dir);
    if (!owner && owner.error().errno_value() != ENOENT)
        return fail(owner.error());
    // Programs may run for a moment longer than their pins are there: nothing is to be changed
    // then.
    if (const auto state = inspect_pins(bpffs_dir); state && *state == PinState::complete)
        (void)set_armed(bpffs_dir, false);
    auto removed = remove_pins(bpffs_dir);
    if (!removed)
        return removed;
    if (owner)
        owner->reset(); // or the mount would be busy
    const auto unmounted = release_bpffs(runtime_dir);
    if (!unmounted)
        return fail(unmounted.error());
    if (*unmounted)
        removed->emplace_back("the bpffs mounted for it");
    return removed;
}

} // namespace ballast::kernel

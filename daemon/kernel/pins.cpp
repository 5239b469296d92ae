// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/pins.h"

#include <algorithm>
#include <filesystem>

#include <bpf/bpf.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "daemon/kernel/hooks.h"
#include "daemon/kernel/restorer.h"
#include "daemon/kernel/shedder.h"

namespace ballast::kernel {

namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

bool all_pinned(const std::string& dir) {
    return std::ranges::all_of(pinned_maps, [&](auto map) { return exists(map_pin(dir, map)); }) &&
           std::ranges::all_of(kHooks, [&](const Hook& hook) {
               return !hook.is_permanent() || hook.is_optional() ||
                      exists(link_pin(dir, hook.name));
           });
}

/// Reads element 0 of the pinned control map as far as this and any other ABI agree: its version.
Result<ballast_control> read_control(const std::string& dir) {
    const std::string pin = map_pin(dir, "control");
    const Fd map(::bpf_obj_get(pin.c_str()));
    if (!map)
        return fail(Error::system(fmt::format("open pinned map {}", pin), errno));
    bpf_map_info info{};
    __u32 length = sizeof(info);
    if (::bpf_obj_get_info_by_fd(map.get(), &info, &length))
        return fail(Error::system(fmt::format("describe pinned map {}", pin), errno));
    std::vector<std::uint8_t> value(
        std::max<std::size_t>(info.value_size, sizeof(ballast_control)));
    const __u32 first = 0;
    if (::bpf_map_lookup_elem(map.get(), &first, value.data()))
        return fail(Error::system(fmt::format("read pinned map {}", pin), errno));
    ballast_control control{};
    std::memcpy(&control, value.data(), sizeof(control));
    return control;
}

/// All but that of the program which gives back what the others have changed.
Result<void> remove_links(const std::string& bpffs_dir, std::vector<std::string>& removed) {
    for (const auto& hook : kHooks)
        if (hook.is_pinned() && hook.stage != Stage::unload)
            if (auto done = remove_pin(link_pin(bpffs_dir, hook.name), removed); !done)
                return done;
    return {};
}

} // namespace

Result<void> remove_pin(const std::string& path, std::vector<std::string>& removed) {
    if (::unlink(path.c_str()) == 0)
        removed.push_back(path);
    else if (errno != ENOENT)
        return fail(Error::system(fmt::format("remove pin {}", path), errno));
    return {};
}

std::string map_pin(const std::string& bpffs_dir, std::string_view map) {
    return fmt::format("{}/{}", bpffs_dir, map);
}

std::string link_pin(const std::string& bpffs_dir, std::string_view program) {
    return fmt::format("{}/link_{}", bpffs_dir, program);
}

Result<PinState> inspect_pins(const std::string& bpffs_dir) {
    std::error_code error;
    if (!exists(bpffs_dir) || fs::is_empty(bpffs_dir, error))
        return PinState::none;
    if (!exists(map_pin(bpffs_dir, "control")))
        return PinState::incomplete;
    const auto control = read_control(bpffs_dir);
    if (!control)
        return fail(control.error());
    if (control->abi_version != 0 && control->abi_version != BALLAST_ABI_VERSION)
        return fail(
            Error(
                fmt::format("the programs pinned at {} speak ABI version {}, this build speaks {}",
                            bpffs_dir, control->abi_version, BALLAST_ABI_VERSION))
                .hint("unload them with `ballast unload` first; that ends enforcement until the "
                      "next start"));
    return control->ready && all_pinned(bpffs_dir) ? PinState::complete : PinState::incomplete;
}

Result<std::vector<std::string>> remove_pins(const std::string& bpffs_dir) {
    std::vector<std::string> removed;
    if (auto done = Shedder::remove(bpffs_dir, removed); !done)
        return fail(done.error());
    const std::string restore_pin = link_pin(bpffs_dir, hook_of(Stage::unload).name);
    auto restore = Restorer::open(restore_pin);
    if (!restore)
        return fail(restore.error());
    if (auto done = remove_links(bpffs_dir, removed); !done)
        return fail(done.error());
    const auto restored = restore->run("/proc");
    if (auto done = remove_pin(restore_pin, removed); !done)
        return fail(done.error());
    for (const auto map : pinned_maps)
        if (auto done = remove_pin(map_pin(bpffs_dir, map), removed); !done)
            return fail(done.error());
    if (::rmdir(bpffs_dir.c_str()) == 0)
        removed.push_back(bpffs_dir);
    else if (errno != ENOENT)
        return fail(Error::system(fmt::format("remove directory {}", bpffs_dir), errno)
                        .hint("something that is not Ballast's is in it"));
    if (!restored)
        return fail(restored.error().context(
            "everything was removed, but some connections keep the keepalive "
            "that Ballast gave them"));
    return removed;
}

} // namespace ballast::kernel

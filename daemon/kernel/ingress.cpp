// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/ingress.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string_view>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include "daemon/kernel/pins.h"
#include "daemon/netlink/filters.h"

namespace ballast::kernel {

namespace {

/// include/uapi/linux/bpf.h of Linux 6.6.
constexpr auto tcx_ingress = static_cast<bpf_attach_type>(46);

/// Of the filter, where the kernel has no tcx. Others' filters of a lower number run before it.
constexpr std::uint32_t filter_handle = 0xba1;
constexpr std::uint32_t filter_priority = 0xc000;

constexpr std::string_view link_prefix = "shed_link_";
constexpr std::string_view filter_prefix = "shed_filter_";
/// Pinned where the qdisc was made for the filter.
constexpr std::string_view qdisc_prefix = "shed_qdisc_";

std::string pin_of(const std::string& bpffs_dir, std::string_view prefix, std::uint32_t device) {
    return fmt::format("{}/{}{}", bpffs_dir, prefix, device);
}

Result<bpf_prog_info> describe(int program) {
    bpf_prog_info info{};
    __u32 length = sizeof info;
    if (::bpf_obj_get_info_by_fd(program, &info, &length))
        return fail(Error::system("describe a program", errno));
    return info;
}

std::string name_of_program(std::uint32_t id) {
    const Fd program(::bpf_prog_get_fd_by_id(id));
    const auto info = program ? describe(program.get()) : fail(Error(""));
    return info ? std::string(static_cast<const char*>(info->name)) : fmt::format("{}", id);
}

bpf_tc_hook hook_of(std::uint32_t device) {
    bpf_tc_hook hook{};
    hook.sz = sizeof hook;
    hook.ifindex = static_cast<int>(device);
    hook.attach_point = BPF_TC_INGRESS;
    return hook;
}

bpf_tc_opts filter_of() {
    bpf_tc_opts options{};
    options.sz = sizeof options;
    options.handle = filter_handle;
    options.priority = filter_priority;
    return options;
}

/// Id of the program that is attached as our filter; 0: none is.
std::uint32_t filter_program(std::uint32_t device) {
    const auto hook = hook_of(device);
    auto options = filter_of();
    return ::bpf_tc_query(&hook, &options) == 0 ? options.prog_id : 0;
}

/// Id of the program behind a pin; 0: there is none.
std::uint32_t pinned_program(const std::string& pin) {
    const Fd program(::bpf_obj_get(pin.c_str()));
    const auto info = program ? describe(program.get()) : fail(Error(""));
    return info ? info->id : 0;
}

/// Of a tcx link: its device; 0: it is detached. The union's member for XDP has the same place and
/// meaning (include/uapi/linux/bpf.h).
std::uint32_t device_of(int link) {
    bpf_link_info info{};
    __u32 length = sizeof info;
    return ::bpf_obj_get_info_by_fd(link, &info, &length) == 0 ? info.xdp.ifindex : 0;
}

void add_device(const std::string& file, std::string_view prefix,
                std::vector<std::uint32_t>& devices) {
    std::uint32_t device = 0;
    if (!file.starts_with(prefix))
        return;
    const char* begin = file.data() + prefix.size();
    const char* end = file.data() + file.size();
    if (std::from_chars(begin, end, device).ptr == end)
        devices.push_back(device);
}

} // namespace

Result<Fd> Ingress::attach_tcx(int program, std::uint32_t device, const std::string& pin) {
    Fd pinned(::bpf_obj_get(pin.c_str()));
    if (pinned && device_of(pinned.get()) == device &&
        ::bpf_link_update(pinned.get(), program, nullptr) == 0)
        return pinned;
    Fd made(::bpf_link_create(program, static_cast<int>(device), tcx_ingress, nullptr));
    if (!made)
        return fail(Error::system(fmt::format("attach to device {}", device), errno));
    if (::unlink(pin.c_str()) && errno != ENOENT)
        return fail(Error::system(fmt::format("remove pin {}", pin), errno));
    if (::bpf_obj_pin(made.get(), pin.c_str()))
        return fail(Error::system(fmt::format("pin link {}", pin), errno));
    return made;
}

Result<void> Ingress::attach_filter(int program, std::uint32_t device, const std::string& pin) {
    auto hook = hook_of(device);
    const int made = ::bpf_tc_hook_create(&hook);
    if (made != 0 && made != -EEXIST)
        return fail(
            Error::system(fmt::format("make the clsact qdisc of device {}", device), -made));
    const auto qdisc = pin_of(std::filesystem::path(pin).parent_path(), qdisc_prefix, device);
    if (made == 0 && ::bpf_obj_pin(program, qdisc.c_str()) && errno != EEXIST)
        return fail(Error::system(fmt::format("pin {}", qdisc), errno));
    const auto there = filter_program(device);
    auto options = filter_of();
    options.prog_fd = program;
    if (there != 0 && there == pinned_program(pin))
        options.flags = BPF_TC_F_REPLACE;
    if (const int error = ::bpf_tc_attach(&hook, &options))
        return fail(Error::system(fmt::format("attach a filter to device {}", device), -error));
    if (::unlink(pin.c_str()) && errno != ENOENT)
        return fail(Error::system(fmt::format("remove pin {}", pin), errno));
    if (::bpf_obj_pin(program, pin.c_str()))
        return fail(Error::system(fmt::format("pin {}", pin), errno));
    return {};
}

Result<Ingress> Ingress::attach(int program, std::uint32_t device, const std::string& bpffs_dir) {
    const auto info = describe(program);
    if (!info)
        return fail(info.error());
    auto link = attach_tcx(program, device, pin_of(bpffs_dir, link_prefix, device));
    if (link)
        return Ingress(device, std::move(*link), info->id);
    if (link.error().errno_value() != EINVAL)
        return fail(link.error());
    if (auto done = attach_filter(program, device, pin_of(bpffs_dir, filter_prefix, device)); !done)
        return fail(done.error());
    return Ingress(device, Fd(), info->id);
}

bool Ingress::is_attached() const {
    return link_ ? device_of(link_.get()) == device_ : filter_program(device_) == program_;
}

std::vector<std::uint32_t> Ingress::pinned(const std::string& bpffs_dir) {
    std::vector<std::uint32_t> devices;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(bpffs_dir, error)) {
        const auto file = entry.path().filename().string();
        for (const auto prefix : {link_prefix, filter_prefix, qdisc_prefix})
            add_device(file, prefix, devices);
    }
    return devices;
}

Result<void> Ingress::remove(std::uint32_t device, const std::string& bpffs_dir,
                             std::vector<std::string>& removed) {
    const auto filter = pin_of(bpffs_dir, filter_prefix, device);
    const auto ours = pinned_program(filter);
    const auto hook = hook_of(device);
    if (ours != 0 && filter_program(device) == ours) {
        auto options = filter_of();
        if (const int error = ::bpf_tc_detach(&hook, &options))
            return fail(
                Error::system(fmt::format("detach the filter of device {}", device), -error));
    }
    const auto qdisc = pin_of(bpffs_dir, qdisc_prefix, device);
    if (::access(qdisc.c_str(), F_OK) == 0) {
        auto all = hook;
        all.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
        if (const auto left = netlink::device_filters(device); left && left->empty())
            (void)::bpf_tc_hook_destroy(&all);
    }
    for (const auto prefix : {link_prefix, filter_prefix, qdisc_prefix})
        if (auto done = remove_pin(pin_of(bpffs_dir, prefix, device), removed); !done)
            return done;
    return {};
}

std::vector<std::string> Ingress::chain(std::uint32_t device) {
    std::vector<std::string> names;
    std::array<__u32, 64> ids{};
    auto count = static_cast<__u32>(ids.size());
    __u32 flags = 0;
    if (::bpf_prog_query(static_cast<int>(device), tcx_ingress, 0, &flags, ids.data(), &count) == 0)
        for (std::size_t i = 0; i < std::min<std::size_t>(count, ids.size()); ++i)
            names.push_back("tcx:" + name_of_program(ids.at(i)));
    if (const auto filters = netlink::ingress_filters(device))
        for (const auto& filter : *filters)
            names.push_back(filter.id != 0 ? "bpf:" + name_of_program(filter.id) : filter.kind);
    return names;
}

} // namespace ballast::kernel

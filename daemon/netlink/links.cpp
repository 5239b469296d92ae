// SPDX-License-Identifier: Apache-2.0
#include "daemon/netlink/links.h"

#include <algorithm>
#include <cerrno>

#include <fnmatch.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace ballast::netlink {

namespace {

int take_xdp(const nlattr* attribute, void* to) {
    if (mnl_attr_get_type(attribute) == IFLA_XDP_PROG_ID &&
        mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
        *static_cast<std::uint32_t*>(to) = mnl_attr_get_u32(attribute);
    return MNL_CB_OK;
}

int take_part_of(const nlattr* attribute, void* to) {
    if (mnl_attr_get_type(attribute) == IFLA_INFO_SLAVE_KIND &&
        mnl_attr_validate(attribute, MNL_TYPE_STRING) >= 0)
        *static_cast<std::string*>(to) = mnl_attr_get_str(attribute);
    return MNL_CB_OK;
}

int take_of_device(const nlattr* attribute, void* to) {
    auto& device = *static_cast<Device*>(to);
    switch (mnl_attr_get_type(attribute)) {
    case IFLA_IFNAME:
        if (mnl_attr_validate(attribute, MNL_TYPE_STRING) >= 0)
            device.name = mnl_attr_get_str(attribute);
        break;
    case IFLA_XDP:
        (void)mnl_attr_parse_nested(attribute, take_xdp, &device.xdp);
        break;
    case IFLA_LINKINFO:
        (void)mnl_attr_parse_nested(attribute, take_part_of, &device.part_of);
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

Device device_of(const nlmsghdr& message) {
    const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
    Device device{
        .index = static_cast<std::uint32_t>(info->ifi_index), .name = {}, .xdp = 0, .part_of = {}};
    (void)mnl_attr_parse(&message, sizeof(ifinfomsg), take_of_device, &device);
    return device;
}

} // namespace

Result<Links> Links::open() {
    auto asking = RouteSocket::open();
    if (!asking)
        return fail(asking.error());
    auto listening = RouteSocket::open(RTMGRP_LINK);
    if (!listening)
        return fail(listening.error());
    return Links(std::move(*asking), std::move(*listening));
}

Result<std::vector<Device>> Links::all() {
    std::vector<Device> devices;
    ifinfomsg any{};
    any.ifi_family = AF_UNSPEC;
    const auto done = asking_.dump(RTM_GETLINK, &any, sizeof any, "network devices",
                                   [&](const nlmsghdr& message) {
                                       if (message.nlmsg_type == RTM_NEWLINK &&
                                           mnl_nlmsg_get_payload_len(&message) >= sizeof(ifinfomsg))
                                           devices.push_back(device_of(message));
                                   });
    if (!done)
        return fail(done.error());
    std::ranges::sort(devices, {}, &Device::index);
    return devices;
}

int Links::descriptor() const {
    return listening_.descriptor();
}

void Links::consume() {
    std::vector<char> buffer(32768);
    // a queue that ran over (ENOBUFS) means the same as what was in it
    while (::recv(descriptor(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
        continue;
}

bool matches_glob(const std::string& glob, const std::string& name) {
    return ::fnmatch(glob.c_str(), name.c_str(), 0) == 0;
}

} // namespace ballast::netlink

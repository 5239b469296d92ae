// SPDX-License-Identifier: Apache-2.0
#include "daemon/netlink/filters.h"

#include <libmnl/libmnl.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "daemon/netlink/route_socket.h"

namespace ballast::netlink {

namespace {

constexpr std::size_t kMostFilters = 64; // that are listed

int take_option(const nlattr* attribute, void* to) {
    auto& filter = *static_cast<Filter*>(to);
    if (mnl_attr_get_type(attribute) == TCA_BPF_NAME &&
        mnl_attr_validate(attribute, MNL_TYPE_STRING) >= 0)
        filter.name = mnl_attr_get_str(attribute);
    if (mnl_attr_get_type(attribute) == TCA_BPF_ID &&
        mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
        filter.id = mnl_attr_get_u32(attribute);
    return MNL_CB_OK;
}

int take_of_filter(const nlattr* attribute, void* to) {
    auto& filter = *static_cast<Filter*>(to);
    if (mnl_attr_get_type(attribute) == TCA_KIND &&
        mnl_attr_validate(attribute, MNL_TYPE_STRING) >= 0)
        filter.kind = mnl_attr_get_str(attribute);
    if (mnl_attr_get_type(attribute) == TCA_OPTIONS && filter.kind == "bpf")
        (void)mnl_attr_parse_nested(attribute, take_option, &filter);
    return MNL_CB_OK;
}

/// One without a handle heads those of a priority.
bool is_filter(const nlmsghdr& message) {
    return message.nlmsg_type == RTM_NEWTFILTER &&
           mnl_nlmsg_get_payload_len(&message) >= sizeof(tcmsg) &&
           static_cast<const tcmsg*>(mnl_nlmsg_get_payload(&message))->tcm_handle != 0;
}

Result<std::vector<Filter>> filters_of(std::uint32_t device, std::uint32_t side) {
    auto socket = RouteSocket::open();
    if (!socket)
        return fail(socket.error());
    tcmsg of{};
    of.tcm_family = AF_UNSPEC;
    of.tcm_ifindex = static_cast<int>(device);
    of.tcm_parent = TC_H_MAKE(TC_H_CLSACT, side);
    std::vector<Filter> filters;
    const auto done = socket->dump(
        RTM_GETTFILTER, &of, sizeof of, "the filters of a device", [&](const nlmsghdr& message) {
            if (!is_filter(message) || filters.size() >= kMostFilters)
                return;
            Filter filter;
            (void)mnl_attr_parse(&message, sizeof(tcmsg), take_of_filter, &filter);
            filters.push_back(std::move(filter));
        });
    if (!done)
        return fail(done.error());
    return filters;
}

} // namespace

Result<std::vector<Filter>> ingress_filters(std::uint32_t device) {
    return filters_of(device, TC_H_MIN_INGRESS);
}

Result<std::vector<Filter>> device_filters(std::uint32_t device) {
    auto in = filters_of(device, TC_H_MIN_INGRESS);
    auto out = filters_of(device, TC_H_MIN_EGRESS);
    if (!in || !out)
        return in ? out : in;
    in->insert(in->end(), out->begin(), out->end());
    return in;
}

} // namespace ballast::netlink

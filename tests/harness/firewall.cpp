// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/firewall.h"

#include <string>

#include <fmt/format.h>

#include "tests/harness/check.h"
#include "tests/harness/registry.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/wait.h"

namespace ballast::test {
namespace {

/// Joins an end to the firewall by a veth pair in network `net`.
void join(const Netns& end, const Netns& between, int net, const std::string& device) {
    end.ip({fmt::format("link add e0 type veth peer name {} netns {}", device, between.holder()),
            fmt::format("addr add 10.{}.0.1/24 dev e0", net),
            fmt::format("addr add fd{}::1/64 nodad dev e0", net), "link set e0 up"});
    between.ip({fmt::format("addr add 10.{}.0.254/24 dev {}", net, device),
                fmt::format("addr add fd{}::fe/64 nodad dev {}", net, device),
                fmt::format("link set {} up", device)});
    end.ip({fmt::format("route add default via 10.{}.0.254", net),
            fmt::format("route add ::/0 via fd{}::fe", net)});
}

std::string rules(const FirewallOptions& options) {
    const auto reset = options.resets.empty()
                           ? ""
                           : fmt::format("tcp dport {{ {} }} reject with tcp reset\n",
                                         fmt::join(options.resets, ", "));
    return fmt::format("table inet firewall {{\nchain forward {{\n"
                       "type filter hook forward priority 0; policy drop;\n"
                       "meta l4proto ipv6-icmp accept\n"
                       "ct state established accept\n"
                       "tcp flags & (fin|syn|rst|ack) == syn ct state new accept\n{}}}\n}}\n",
                       reset);
}

} // namespace

Firewall make_firewall(const FirewallOptions& options) {
    Firewall made{make<Netns>(), make<Netns>(), make<Netns>()};
    join(made.client, made.between, 91, "f0");
    join(made.server, made.between, 92, "f1");
    made.between.sysctl("net.ipv4.ip_forward", 1);
    made.between.sysctl("net.ipv6.conf.all.forwarding", 1);
    const auto file = make_temp_dir() + "/rules.nft";
    write_file(file, rules(options));
    made.between.exec({"nft", "-f", file});
    made.between.sysctl("net.netfilter.nf_conntrack_tcp_timeout_established",
                        static_cast<int>(options.timeout.count()));
    made.between.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0);
    for (const Netns* end : {&made.client, &made.server})
        end->await_running("e0");
    return made;
}

} // namespace ballast::test

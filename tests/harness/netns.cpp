// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/netns.h"

#include <algorithm>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/registry.h"

namespace ballast::test {

const std::vector<Family> families = {
    {"ipv4", AF_INET, "10.77.0.1", "10.77.0.2", "10.77.0.9", "10.78.0.1"},
    {"ipv6", AF_INET6, "fd77::1", "fd77::2", "fd77::9", "fd78::1"},
};

namespace {

constexpr auto silent_mac = "02:00:00:00:77:09";

/// The number of buckets is what the namespace that a new one is made in says of its children.
void set_hash_buckets(unsigned buckets) {
    need(::unshare(CLONE_NEWNET) == 0, "unshare(CLONE_NEWNET)");
    write_file("/proc/sys/net/ipv4/tcp_child_ehash_entries", fmt::format("{}\n", buckets));
}

Fd any_socket() {
    return Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

/// The flags of a link in the namespace of `any` socket, read or set as `request` says.
ifreq link_flags(const Fd& any, const std::string& device, unsigned long request, short flags = 0) {
    ifreq link{};
    device.copy(link.ifr_name, sizeof link.ifr_name - 1);
    link.ifr_flags = flags;
    need(any && ::ioctl(any.get(), request, &link) == 0, "flags of " + device);
    return link;
}

int hold_namespace(int ready, unsigned hash_buckets) {
    if (hash_buckets)
        set_hash_buckets(hash_buckets);
    need(::unshare(CLONE_NEWNET) == 0, "unshare(CLONE_NEWNET)");
    link_flags(any_socket(), "lo", SIOCSIFFLAGS, IFF_UP);
    eventfd_write(ready, 1);
    ::pause();
    return 0;
}

} // namespace

Netns::Netns(unsigned hash_buckets) {
    const Fd ready(::eventfd(0, EFD_CLOEXEC));
    holder_.fork([&] { return hold_namespace(ready.get(), hash_buckets); });
    check(wait_fd(ready.get(), POLLIN, Clock::now() + patience()), "a namespace was made");
    const auto path = fmt::format("/proc/{}/ns/net", holder_.pid());
    fd_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    need(static_cast<bool>(fd_), path);
}

const Netns& Netns::own() {
    static const Netns own(Fd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)));
    return own;
}

unsigned Netns::inode() const {
    struct stat status {};
    need(::fstat(fd_.get(), &status) == 0, "fstat of a network namespace");
    return static_cast<unsigned>(status.st_ino);
}

void Netns::ip(const std::vector<std::string>& lines) const {
    const auto batch = make_temp_dir() + "/batch";
    write_file(batch, fmt::format("{}\n", fmt::join(lines, "\n")));
    exec({"ip", "-batch", batch});
}

Fd Netns::open_inside(const std::function<Fd()>& open) const {
    const Inside inside(fd_.get());
    return open();
}

void Netns::sysctl(const std::string& name, int value) const {
    std::string path = "/proc/sys/" + name;
    std::replace(path.begin(), path.end(), '.', '/');
    const auto text = std::to_string(value);
    const Fd file = open_inside([&] { return Fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC)); });
    need(file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()),
         path);
}

void Netns::await_running(const std::string& device) const {
    const Fd any = open_inside(any_socket);
    await([&] { return (link_flags(any, device, SIOCGIFFLAGS).ifr_flags & IFF_RUNNING) != 0; },
          device + " is up");
}

std::string Netns::exec(std::vector<std::string> argv) const {
    return run_ok({.argv = std::move(argv), .network_namespace = fd_.get()});
}

Link make_link(unsigned hash_buckets) {
    Link link{make<Netns>(hash_buckets), make<Netns>()};
    std::vector<std::string> client = {
        fmt::format("link add c0 type veth peer name s0 netns {}", link.server.holder())};
    std::vector<std::string> server;
    for (const auto& family : families) {
        const bool v4 = family.domain == AF_INET;
        const auto suffix = v4 ? "/24" : "/64 nodad";
        client.push_back(fmt::format("addr add {}{} dev c0", family.client, suffix));
        server.push_back(fmt::format("addr add {}{} dev s0", family.server, suffix));
        client.push_back(fmt::format("neigh add {} lladdr {} dev c0", family.silent, silent_mac));
    }
    server.emplace_back("link set s0 up");
    client.emplace_back("link set c0 up");
    link.client.ip(client);
    link.server.ip(server);
    link.client.await_running("c0");
    return link;
}

void silence(const Netns& client, const Family& family) {
    client.ip({fmt::format("neigh replace {} lladdr {} dev c0", family.server, silent_mac)});
}

void end_silence(const Netns& client, const Family& family) {
    client.ip({fmt::format("neigh del {} dev c0", family.server)});
}

Inside::Inside(int namespace_fd)
    : before_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    need(before_ && ::setns(namespace_fd, CLONE_NEWNET) == 0, "setns to a network namespace");
}

Inside::~Inside() {
    ::setns(before_.get(), CLONE_NEWNET);
}

} // namespace ballast::test

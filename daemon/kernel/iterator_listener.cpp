// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/iterator_listener.h"

#include <bit>
#include <memory>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "bpf/abi_listeners.h"
#include "listeners.skel.h"

namespace ballast::kernel {

namespace {

/// 127.66.76.84 and those after it; each has other ports in the last bucket.
constexpr std::uint32_t first_address = 0x7f424c54;
constexpr std::uint32_t addresses = 8;
constexpr std::uint32_t first_port = 1025; ///< those below it are reserved
constexpr std::uint32_t port_end = 65536;

struct Destroy {
    void operator()(listeners_bpf* skeleton) const { listeners_bpf::destroy(skeleton); }
};

/// jhash_1word() of include/linux/jhash.h.
std::uint32_t jhash_1word(std::uint32_t word, std::uint32_t seed) {
    seed += 0xdeadbeef + (1U << 2);
    std::uint32_t a = word + seed;
    std::uint32_t b = seed;
    std::uint32_t c = seed;
    c = (c ^ b) - std::rotl(b, 14);
    a = (a ^ c) - std::rotl(c, 11);
    b = (b ^ a) - std::rotl(a, 25);
    c = (c ^ b) - std::rotl(b, 16);
    a = (a ^ c) - std::rotl(c, 4);
    b = (b ^ a) - std::rotl(a, 14);
    return (c ^ b) - std::rotl(b, 24);
}

/// A socket that may be bound although the namespace's loopback interface is down.
Result<Fd> make_socket() {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket)
        return fail(Error::system("make a listener that the socket iterator needs", errno));
    const int on = 1;
    if (::setsockopt(socket.get(), SOL_IP, IP_FREEBIND, &on, sizeof on))
        return fail(Error::system("set IP_FREEBIND on the socket iterator's listener", errno));
    return socket;
}

bool bind_to(const Fd& socket, std::uint32_t address, std::uint16_t port) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = address;
    to.sin_port = ::htons(port);
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
}

/// Binds to the first free port of `address` that falls into the last bucket.
bool bind_to_last_bucket(const Fd& socket, std::uint32_t address, const ListenerHash& hash) {
    const std::uint32_t low = (hash.bucket(address, 0) ^ hash.last_bucket) & hash.last_bucket;
    for (std::uint32_t port = low; port < port_end; port += hash.last_bucket + 1)
        if (port >= first_port && bind_to(socket, address, static_cast<std::uint16_t>(port)))
            return true;
    return false;
}

} // namespace

bool iterator_needs_listener() {
    const std::unique_ptr<btf, decltype(&::btf__free)> types(::btf__load_vmlinux_btf(),
                                                             &::btf__free);
    return !types ||
           ::btf__find_by_name_kind(types.get(), "bpf_tcp_iter_batch_item", BTF_KIND_UNION) < 0;
}

std::uint32_t ListenerHash::bucket(std::uint32_t address, std::uint16_t port) const {
    return (jhash_1word(address, mix) ^ port) & last_bucket;
}

Result<IteratorListener> IteratorListener::create() {
    const std::unique_ptr<listeners_bpf, Destroy> skeleton(listeners_bpf::open_and_load());
    if (!skeleton)
        return fail(
            Error::system("load the program that the socket iterator's listener needs", errno));
    Fd program(::dup(::bpf_program__fd(skeleton->progs.ballast_listeners)));
    if (!program)
        return fail(Error::system("keep the program of the socket iterator's listener", errno));
    return IteratorListener(std::move(program));
}

Result<ListenerHash> IteratorListener::hash() const {
    ballast_listeners table{};
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.ctx_in = &table;
    options.ctx_size_in = sizeof table;
    if (const int error = ::bpf_prog_test_run_opts(program_.get(), &options))
        return fail(Error::system("read how the kernel spreads listeners", -error));
    return ListenerHash{.mix = table.mix, .last_bucket = table.last_bucket};
}

Result<Fd> IteratorListener::listen() const {
    const auto spread = hash();
    if (!spread)
        return fail(spread.error());
    auto socket = make_socket();
    if (!socket)
        return socket;
    std::uint32_t n = 0;
    while (n < addresses && !bind_to_last_bucket(*socket, ::htonl(first_address + n), *spread))
        ++n;
    if (n == addresses)
        return fail(Error::system("bind the socket iterator's listener to 127.66.76.84", errno));
    if (::listen(socket->get(), 0))
        return fail(Error::system("listen() for the socket iterator", errno));
    return socket;
}

} // namespace ballast::kernel

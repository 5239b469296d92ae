// SPDX-License-Identifier: Apache-2.0
// Before Linux 6.17, the TCP socket iterator can pass over the first bucket of the established hash
// table in which a namespace has sockets: when it is through with the listeners,
// tcp_seek_last_pos() (net/ipv4/tcp_ipv4.c) goes on with an offset that it has counted down to -1,
// and skips by it if that bucket's number is the one at which it stood among the listeners'
// buckets: 0 where nobody listens, else that of the last listener plus one. Those sockets would
// never be adopted, and their reservations given back while they live. Only a listener in the very
// last bucket is left by another path, which is right, so a sweep brings one of its own.
#pragma once

#include <cstdint>

#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::kernel {

/// Whether the running kernel's iterator does that. Detected by a type that came with the fix,
/// since distributions backport such fixes; assumed where that cannot be read.
bool iterator_needs_listener();

/// The inputs to the bucket of a namespace's listeners (bpf/listeners.bpf.c).
struct ListenerHash {
    std::uint32_t mix;         ///< secret of the namespace
    std::uint32_t last_bucket; ///< buckets less 1; they are a power of 2

    /// Of a listener at an IPv4 address in network byte order: ipv4_portaddr_hash()
    /// (include/net/ip.h).
    [[nodiscard]] std::uint32_t bucket(std::uint32_t address, std::uint16_t port) const;
};

class IteratorListener {
public:
    /// Loads the program that reads the hash; fails where the kernel refuses it.
    static Result<IteratorListener> create();

    /// A listener in the calling thread's network namespace, in the last bucket, which an iterator
    /// must meet in its first read; of no use after it. Bound to an address of the loopback network
    /// that is otherwise unused, so that no packet from outside reaches it. Fails when the program
    /// cannot be run or when all the ports that fall into that bucket are taken.
    [[nodiscard]] Result<Fd> listen() const;

private:
    explicit IteratorListener(Fd program) : program_(std::move(program)) {}
    [[nodiscard]] Result<ListenerHash> hash() const;

    Fd program_;
};

} // namespace ballast::kernel

// SPDX-License-Identifier: Apache-2.0
// Before Linux 6.17, the TCP socket iterator passes over the first bucket of the established hash
// table in a namespace where nobody listens: tcp_seek_last_pos() (net/ipv4/tcp_ipv4.c) counts its
// offset down to -1 among the listeners and then skips by it in the bucket of the same number, 0.
// Those sockets would never be adopted, and their reservations given back while they live. Where
// there is a listener the bucket is visited, so a sweep brings one of its own.
#pragma once

#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::kernel {

/// Whether the running kernel's iterator does that. Told by a type that came with the mend, since
/// distributions carry such mends to older versions; where that cannot be read, it is assumed.
bool iterator_skips_first_bucket();

/// A listener in the calling thread's network namespace, which an iterator must meet in its first
/// read; of no use after it. Bound to an address of the loopback network that nobody uses, so that
/// no packet from outside reaches it.
Result<Fd> listen_for_iterator();

} // namespace ballast::kernel

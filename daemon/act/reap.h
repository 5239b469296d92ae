// SPDX-License-Identifier: Apache-2.0
// Ends connections of one tuple in TIME_WAIT, so that their ports are free.
#pragma once

#include <chrono>
#include <cstddef>

#include "daemon/act/sysctl.h"
#include "daemon/model/ports.h"

namespace ballast::act {

/// They are younger than this: an old segment of theirs may still be under way that timestamps of a
/// successor's within the same second cannot tell from its own (RFC 6191, section 2; the kernel
/// waits as long before it reuses one, net/ipv4/tcp_ipv4.c, tcp_twsk_unique()).
inline constexpr std::chrono::seconds too_young{1};

/// Ends up to `most` of them, those that end next by themselves first; returns how many. None where
/// the namespace has no TCP timestamps (EPERM: that is what RFC 6191 asks for).
Result<std::size_t> reap_time_wait(kernel::NetNamespace& where, std::uint64_t cookie,
                                   const TupleKey& tuple, std::size_t most);

} // namespace ballast::act

// SPDX-License-Identifier: Apache-2.0
// Frames of IPv4 and TCP without data, for programs that see packets.
#pragma once

#include <array>
#include <cstdint>

#include "daemon/util/address.h"

namespace ballast::bench {

using Frame = std::array<std::uint8_t, 14 + 20 + 20>;

/// Addresses of Ethernet are zeros; checksums are right.
Frame frame_of(const Endpoint& from, const Endpoint& to, std::uint8_t flags);

/// Puts other source ports into it.
void set_source_port(Frame& frame, std::uint16_t port);

/// Another address, of the same network if that has 16 bits.
Address neighbour_of(const Address& address);

} // namespace ballast::bench

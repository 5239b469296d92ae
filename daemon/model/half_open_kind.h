// SPDX-License-Identifier: Apache-2.0
// What may be wrong with a flow, and which of that a service may act on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/model/enum_set.h"

namespace ballast {

/// The fault of a flow, or that it has recovered.
enum class HalfOpenKind : std::uint8_t {
    silently_dropped, ///< its packets reach nobody, while the destination answers others
    path_down,        ///< nothing comes from the destination at all
    peer_hung,        ///< the peer acknowledges, but takes or answers nothing
    not_accepted,     ///< the peer has never acknowledged data: its accept queue may be full
    mtu_black_hole,   ///< large segments are lost, while the destination answers small ones
    client_silent,    ///< a client no longer answers, while its address does: NAT hides many
    address_gone,     ///< this host no longer has the flow's own address
    local_fault,      ///< this host itself does not send the flow's packets
    refused_late,     ///< RST to the first packet after a silence
    cleared,          ///< it was found half-open and is acknowledged again
};
inline constexpr std::size_t kHalfOpenKinds = 10;

/// Stable: in the policy, findings, the API and metrics.
inline constexpr std::array<std::string_view, kHalfOpenKinds> kHalfOpenKindNames{
    "silently_dropped", "path_down",    "peer_hung",   "not_accepted", "mtu_black_hole",
    "client_silent",    "address_gone", "local_fault", "refused_late", "cleared"};

constexpr std::string_view name_of(HalfOpenKind kind) {
    return kHalfOpenKindNames.at(static_cast<std::size_t>(kind));
}

/// Kinds that leave a socket which could be destroyed: those before refused_late.
inline constexpr std::size_t kResettableKinds =
    static_cast<std::size_t>(HalfOpenKind::refused_late);

using HalfOpenKinds = EnumSet<HalfOpenKind>;

} // namespace ballast

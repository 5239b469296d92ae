// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/reservations.h"

#include "bpf/lib/reservation.h"

namespace ballast::kernel {

bool Reservations::release(std::uint32_t number, std::uint64_t cookie) const {
    __u32 held = 0;
    if (!ballast_entry_release(&at(number), cookie, &held))
        return false;
    for (const CountId id : counts_.held(held))
        counts_.give_back(id);
    return true;
}

} // namespace ballast::kernel

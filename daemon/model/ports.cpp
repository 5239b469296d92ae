// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/ports.h"

namespace ballast {

PortsByParity PortSpace::capacity() const {
    if (low > high)
        return {};
    const std::uint32_t size = high - low + 1U;
    const std::uint32_t of_low = (size + 1) / 2; // those of the first one's parity
    const bool is_even = low % 2 == 0;
    const PortsByParity all{is_even ? of_low : size - of_low, is_even ? size - of_low : of_low};
    return {all.even - reserved.even - poisoned.even, all.odd - reserved.odd - poisoned.odd};
}

} // namespace ballast

// SPDX-License-Identifier: Apache-2.0
// A set of the enumerators of an enum with fewer than 16 of them, counted from 0.
#pragma once

#include <cstdint>

namespace ballast {

template <typename Enum>
class EnumSet {
public:
    constexpr EnumSet() = default;

    [[nodiscard]] constexpr EnumSet with(Enum one) const {
        EnumSet more = *this;
        more.bits_ = static_cast<std::uint16_t>(more.bits_ | bit(one));
        return more;
    }
    [[nodiscard]] constexpr bool has(Enum one) const { return (bits_ & bit(one)) != 0; }
    [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
    constexpr bool operator==(const EnumSet&) const = default;

private:
    static constexpr std::uint16_t bit(Enum one) {
        return static_cast<std::uint16_t>(1U << static_cast<unsigned>(one));
    }
    std::uint16_t bits_ = 0;
};

} // namespace ballast

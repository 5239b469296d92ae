// SPDX-License-Identifier: Apache-2.0
// How far a guard may go.
#pragma once

#include <cstdint>

namespace ballast {

/// Values are those of `enum ballast_mode` in bpf/abi.h.
enum class Mode : std::uint8_t { off = 0, observe = 1, enforce = 2 };

} // namespace ballast

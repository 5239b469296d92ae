// SPDX-License-Identifier: Apache-2.0
// The product's version, from the build.
#pragma once

namespace ballast::app {

/// "0.1.0"
constexpr const char* version() {
    return BALLAST_VERSION;
}

} // namespace ballast::app

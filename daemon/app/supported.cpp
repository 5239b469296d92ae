// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/supported.h"

namespace ballast::app {

Result<void> check_supported(const Policy& policy) {
    for (const auto& service : policy.services) {
        if (!service.to_names.empty())
            return fail(Error(fmt::format("{}: key service.to: \"{}\" is a DNS name, which this "
                                          "version does not resolve",
                                          service.origin, service.to_names.front().text()))
                            .hint("write the addresses"));
    }
    return {};
}

} // namespace ballast::app

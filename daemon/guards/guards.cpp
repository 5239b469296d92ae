// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/guards.h"

#include <utility>

#include <fmt/format.h>

#include "daemon/guards/table.h"
#include "daemon/util/loop_thread.h"

namespace ballast::guards {

Guards::Guards(Parts parts)
    : parts_(std::move(parts)), governor_(parts_.policy.now()->policy().governor) {}

Result<std::unique_ptr<Guards>> Guards::make(Parts parts) {
    std::unique_ptr<Guards> made(new Guards(std::move(parts)));
    const Parts& with = made->parts_;
    for (const auto& row : guard_table()) {
        const bool is_main = row.thread == Thread::main;
        GuardSet& set = is_main ? made->main_ : made->observing_;
        auto guard = row.make({.loop = is_main ? with.main : with.observer,
                               .writer = with.writer,
                               .instance = with.instance,
                               .policy = with.policy,
                               .governor = made->governor_,
                               .findings = with.findings,
                               .neighbours = set,
                               .store_file = with.store_file,
                               .runtime_dir = with.runtime_dir});
        if (!guard)
            return fail(guard.error().context(fmt::format("start guard {}", row.name)));
        set.add(std::move(*guard));
    }
    return made;
}

void Guards::report(DaemonStatus& status) const {
    main_.report(status);
    observing_.report(status);
}

} // namespace ballast::guards

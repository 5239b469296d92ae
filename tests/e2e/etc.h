// SPDX-License-Identifier: Apache-2.0
// An /etc of a daemon's own, with its hosts as the test wants them and no DNS to ask.
#pragma once

#include <string>

#include "daemon/util/fd.h"
#include "tests/harness/process.h"

namespace ballast::test {

class Etc {
public:
    /// Hosts is empty.
    Etc();

    /// Replaces /etc/hosts atomically: no reader sees half of it.
    void hosts(const std::string& text) const;

    /// Makes /etc/hosts a file whose readers wait; returns once one does, which it will until the
    /// descriptor is closed.
    [[nodiscard]] Fd hang() const;

    /// The mount namespace that has it.
    [[nodiscard]] int mounts() const { return mounts_.get(); }

private:
    [[nodiscard]] int hold(const std::string& ready) const;

    std::string directory_;
    Process keeper_;
    Fd mounts_;
};

} // namespace ballast::test

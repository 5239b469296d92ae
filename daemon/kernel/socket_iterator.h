// SPDX-License-Identifier: Apache-2.0
// Opens TCP socket iterators in network namespaces, with what their first read needs.
#pragma once

#include <optional>

#include "daemon/kernel/iterator_listener.h"
#include "daemon/kernel/namespaces.h"
#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::kernel {

class SocketIterator {
public:
    SocketIterator();

    struct Start {
        Fd iterator; ///< at its beginning
        /// Has to be there during the first read, where the kernel needs one; no value: it could
        /// not be made, and the iterator may pass over some sockets.
        Result<Fd> listener;
    };

    /// `link` is an iter/tcp link. Fails when the namespace cannot be entered or the iterator not
    /// be opened.
    [[nodiscard]] Result<Start> open(const NetNamespace& space, int link) const;

private:
    std::optional<Result<IteratorListener>> listener_; ///< where the kernel needs one
};

} // namespace ballast::kernel

// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/socket_iterator.h"

#include <bpf/bpf.h>

#include "daemon/util/net_namespace.h"

namespace ballast::kernel {

SocketIterator::SocketIterator() {
    if (iterator_needs_listener())
        listener_ = IteratorListener::create();
}

/// The iterator is bound to the namespace of the thread that opens it (fs/proc/proc_net.c,
/// bpf_iter_init_seq_net()), so the thread is there for the time of one call.
Result<SocketIterator::Start> SocketIterator::open(const NetNamespace& space, int link) const {
    const auto file = space.open();
    if (!file)
        return fail(file.error());
    Fd iterator;
    int error = 0;
    Result<Fd> listener;
    const auto been = in_net_namespace(file->get(), [&] {
        iterator.reset(::bpf_iter_create(link));
        error = errno;
        if (listener_)
            listener = listener_->and_then([](const auto& maker) { return maker.listen(); });
    });
    if (!been)
        return fail(been.error());
    if (!iterator)
        return fail(Error::system("open the socket iterator", error));
    return Start{std::move(iterator), std::move(listener)};
}

} // namespace ballast::kernel

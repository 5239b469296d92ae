// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/restorer.h"

#include <array>

#include <bpf/bpf.h>
#include <unistd.h>

#include "daemon/kernel/namespaces.h"
#include "daemon/kernel/socket_iterator.h"

namespace ballast::kernel {

namespace {

/// The iterator emits nothing: reading it is what makes it go.
Result<void> read_all(const Fd& iterator) {
    std::array<char, 64> nothing{};
    for (;;) {
        const ssize_t got = ::read(iterator.get(), nothing.data(), nothing.size());
        if (got == 0)
            return {};
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return fail(Error::system("read the iterator that restores sockets", errno));
    }
}

Result<void> restore_in(const NetNamespace& found, const std::string& proc, int link,
                        const SocketIterator& iterators) {
    const auto space = where_it_is_now(found, proc);
    if (!space)
        return fail(space.error());
    if (!*space)
        return {};
    const auto start = iterators.open(**space, link);
    if (!start)
        return fail(start.error());
    auto read = read_all(start->iterator);
    return read && !start->listener ? fail(start->listener.error()) : read;
}

} // namespace

Result<Restorer> Restorer::open(const std::string& pin) {
    Fd link(::bpf_obj_get(pin.c_str()));
    if (!link && errno != ENOENT)
        return fail(Error::system(fmt::format("open pinned link {}", pin), errno));
    return Restorer(std::move(link));
}

Result<void> Restorer::run(const std::string& proc) const {
    if (!link_)
        return {};
    const auto spaces = find_net_namespaces(proc);
    if (!spaces)
        return fail(spaces.error().context("list network namespaces"));
    const SocketIterator iterators;
    Result<void> outcome;
    for (const auto& space : *spaces)
        if (auto restored = restore_in(space, proc, link_.get(), iterators); !restored && outcome)
            outcome =
                fail(restored.error().context(fmt::format("network namespace {}", space.inode)));
    return outcome;
}

} // namespace ballast::kernel

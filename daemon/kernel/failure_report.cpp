// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/failure_report.h"

#include <cerrno>
#include <cstring>

#include <bpf/bpf.h>

namespace ballast::kernel {

Result<void> FailureReport::half_open_flow(std::uint16_t id, const Endpoint& remote) const {
    ballast_destination_key key{};
    std::memcpy(key.address, remote.address.bytes.data(), sizeof key.address);
    key.port = remote.port;
    key.service = id;
    std::uint32_t index = 0;
    if (::bpf_map_lookup_elem(maps_.destination_index.get(), &key, &index))
        return errno == ENOENT ? Result<void>()
                               : fail(Error::system("look a destination up", errno));
    __u64 arguments[] = {index};
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.ctx_in = arguments;
    options.ctx_size_in = sizeof arguments;
    if (const int error = ::bpf_prog_test_run_opts(program_, &options))
        return fail(Error::system("run program report", -error));
    return {};
}

} // namespace ballast::kernel

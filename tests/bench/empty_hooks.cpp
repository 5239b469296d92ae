// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <fcntl.h>
#include <memory>

#include <bpf/libbpf.h>

#include "empty.skel.h"

#include "daemon/util/fd.h"
#include "tests/bench/commands.h"

namespace ballast::bench {
namespace {

struct Destroy {
    void operator()(empty_bpf* skeleton) const { empty_bpf__destroy(skeleton); }
    void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};

/// Pinned, the link stays attached without this process.
Result<void> attach_and_pin(bpf_program* program, const Fd& cgroup, const std::string& directory) {
    const std::string name = bpf_program__name(program);
    const bool traces = bpf_program__type(program) == BPF_PROG_TYPE_TRACING;
    const std::unique_ptr<bpf_link, Destroy> link(
        traces ? bpf_program__attach(program) : bpf_program__attach_cgroup(program, cgroup.get()));
    if (!link)
        return fail(Error::system(fmt::format("attaching {}", name), errno));
    const std::string path = directory + "/" + name;
    if (const int error = bpf_link__pin(link.get(), path.c_str()); error != 0)
        return fail(Error::system(fmt::format("pinning {}", path), -error));
    return {};
}

} // namespace

Result<void> pin_empty_hooks(const std::string& cgroup, const std::string& directory) {
    const Fd cgroup_fd(::open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!cgroup_fd)
        return fail(Error::system(fmt::format("opening {}", cgroup), errno));
    const std::unique_ptr<empty_bpf, Destroy> skeleton(empty_bpf__open_and_load());
    if (!skeleton)
        return fail(Error::system("loading the empty programs", errno));
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton->obj) {
        auto pinned = attach_and_pin(program, cgroup_fd, directory);
        if (!pinned)
            return pinned;
    }
    return {};
}

} // namespace ballast::bench

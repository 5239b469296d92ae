// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/probe.h"

#include <algorithm>
#include <array>
#include <functional>
#include <span>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/kernel/cgroup.h"
#include "daemon/kernel/connect_relief.h"
#include "daemon/kernel/insn.h"
#include "daemon/kernel/listen_walk.h"
#include "daemon/kernel/port_hooks.h"
#include "daemon/kernel/port_walk.h"
#include "daemon/kernel/shedder.h"
#include "daemon/netlink/destroy_probe.h"
#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::kernel {

namespace {

using Attempt = std::function<Result<void>()>;

struct Feature {
    const char* name;
    const char* cost;
    bool required;
    Attempt attempt;
};

Result<void> done_if(const Fd& fd, const char* tried) {
    return fd ? Result<void>() : fail(Error::system(tried, errno));
}

Fd create_map(bpf_map_type type, std::uint32_t key, std::uint32_t value, std::uint32_t flags,
              int inner = -1) {
    bpf_map_create_opts options{};
    options.sz = sizeof(options);
    options.map_flags = flags;
    if (inner >= 0)
        options.inner_map_fd = static_cast<__u32>(inner);
    return Fd(::bpf_map_create(type, "ballast_probe", key, value, 1, &options));
}

/// Loads a program of raw instructions. `btf_target` names the tracepoint or iterator, if any.
Result<Fd> load_program(bpf_prog_type type, bpf_attach_type attach,
                        std::span<const bpf_insn> instructions, const char* btf_target = nullptr) {
    bpf_prog_load_opts options{};
    options.sz = sizeof(options);
    options.expected_attach_type = attach;
    if (btf_target) {
        const int id = ::libbpf_find_vmlinux_btf_id(btf_target, attach);
        if (id < 0)
            return fail(Error::system(fmt::format("find {} in the kernel's BTF", btf_target), -id));
        options.attach_btf_id = static_cast<__u32>(id);
    }
    Fd program(::bpf_prog_load(type, "ballast_probe", "GPL", instructions.data(),
                               instructions.size(), &options));
    if (!program)
        return fail(Error::system("bpf(BPF_PROG_LOAD)", errno));
    return program;
}

template <typename... Insns>
std::array<bpf_insn, sizeof...(Insns) + 1> program_of(Insns... instructions) {
    return {instructions..., insn::leave()};
}

Result<void> forget(const Result<Fd>& program) {
    return program ? Result<void>() : fail(program.error());
}

Result<void> try_btf() {
    return done_if(Fd(::open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC)),
                   "open /sys/kernel/btf/vmlinux");
}

Result<void> try_bpffs() {
    return done_if(Fd(::fsopen("bpf", FSOPEN_CLOEXEC)), "fsopen(bpf)");
}

Result<void> try_cgroup(const std::string& path) {
    const auto cgroup = open_cgroup(path);
    return cgroup ? Result<void>() : fail(cgroup.error());
}

Result<void> try_mapped_array() {
    const Fd map = create_map(BPF_MAP_TYPE_ARRAY, 4, 8, BPF_F_MMAPABLE);
    if (!map)
        return done_if(map, "bpf(BPF_MAP_CREATE)");
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* memory = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, map.get(), 0);
    if (memory == MAP_FAILED)
        return fail(Error::system("mmap", errno));
    ::munmap(memory, page);
    return {};
}

Result<void> try_policy_maps() {
    const Fd trie = create_map(BPF_MAP_TYPE_LPM_TRIE, 20, 8, BPF_F_NO_PREALLOC);
    if (!trie)
        return done_if(trie, "create an LPM trie");
    return done_if(create_map(BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 0, trie.get()),
                   "create an array of LPM tries");
}

Result<void> try_queue() {
    return done_if(create_map(BPF_MAP_TYPE_QUEUE, 0, 4, 0), "create a queue");
}

Result<void> try_set_retval() {
    constexpr int any_errno = -111;
    return forget(load_program(
        BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT,
        program_of(insn::set(1, any_errno), insn::call(BPF_FUNC_set_retval), insn::set(0, 0))));
}

Result<void> try_cgroup_link(const std::string& path) {
    const auto program = load_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT,
                                      program_of(insn::set(0, 1)));
    if (!program)
        return fail(program.error());
    const auto cgroup = open_cgroup(path);
    if (!cgroup)
        return fail(cgroup.error());
    return done_if(Fd(::bpf_link_create(program->get(), cgroup->directory.get(),
                                        BPF_CGROUP_INET4_CONNECT, nullptr)),
                   "bpf(BPF_LINK_CREATE)");
}

/// TCP_USER_TIMEOUT, which connect_timeout sets, from the hook that takes it back.
Result<void> try_tuning() {
    constexpr int timeout_ms = 1000;
    return forget(load_program(BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS,
                               program_of(insn::store_zero(10, -8), insn::set(2, IPPROTO_TCP),
                                          insn::set(3, TCP_USER_TIMEOUT), insn::copy(4, 10),
                                          insn::add(4, -8), insn::set(5, sizeof(timeout_ms)),
                                          insn::call(BPF_FUNC_setsockopt), insn::set(0, 1))));
}

/// A map of sockets' storage, whose values must have a type.
Result<Fd> create_storage() {
    btf* types = ::btf__new_empty();
    if (!types)
        return fail(Error::system("make type information", errno));
    const int number = ::btf__add_int(types, "int", sizeof(int), BTF_INT_SIGNED);
    const int loaded = number > 0 ? ::btf__load_into_kernel(types) : number;
    if (loaded < 0) {
        ::btf__free(types);
        return fail(Error::system("bpf(BPF_BTF_LOAD)", -loaded));
    }
    bpf_map_create_opts options{};
    options.sz = sizeof(options);
    options.map_flags = BPF_F_NO_PREALLOC;
    options.btf_fd = static_cast<__u32>(::btf__fd(types));
    options.btf_key_type_id = options.btf_value_type_id = static_cast<__u32>(number);
    Fd map(::bpf_map_create(BPF_MAP_TYPE_SK_STORAGE, "ballast_probe", sizeof(int), sizeof(int), 0,
                            &options));
    const int error = errno;
    ::btf__free(types);
    if (!map)
        return fail(Error::system("create socket storage", error));
    return map;
}

/// Where connect_timeout and keepalive keep what the application had. Since 7.0 the kernel cannot
/// allocate it on a processor without a 16-byte compare-and-exchange (mm/slub.c, kmalloc_nolock()).
Result<void> try_storage() {
    const auto map = create_storage();
    if (!map)
        return fail(map.error());
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket)
        return done_if(socket, "socket");
    const int key = socket.get();
    const int value = 1;
    if (::bpf_map_update_elem(map->get(), &key, &value, BPF_ANY) != 0)
        return fail(Error::system("store with a socket", errno));
    return {};
}

Result<void> try_clock() {
    return forget(
        load_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT,
                     program_of(insn::call(BPF_FUNC_ktime_get_coarse_ns), insn::set(0, 1))));
}

Result<void> try_atomics() {
    return forget(
        load_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT,
                     program_of(insn::store_zero(10, -8), insn::set(0, 0), insn::set(2, 1),
                                insn::compare_exchange(10, 2, -8), insn::set(0, 1))));
}

Result<void> try_tracepoint(const char* name) {
    const auto program =
        load_program(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, program_of(insn::set(0, 0)), name);
    if (!program)
        return fail(program.error());
    return done_if(Fd(::bpf_raw_tracepoint_open(nullptr, program->get())),
                   "bpf(BPF_RAW_TRACEPOINT_OPEN)");
}

/// The iterator, with the helper that gives a socket its cookie.
Result<void> try_sweep() {
    constexpr std::int16_t offset_of_socket = 8; // struct bpf_iter__tcp
    const auto program = load_program(
        BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER,
        program_of(insn::load(1, 1, offset_of_socket), insn::skip_if_set(1, 2), insn::set(0, 0),
                   insn::leave(), insn::call(BPF_FUNC_get_socket_cookie), insn::set(0, 0)),
        "tcp");
    if (!program)
        return fail(program.error());
    return done_if(Fd(::bpf_link_create(program->get(), 0, BPF_TRACE_ITER, nullptr)),
                   "bpf(BPF_LINK_CREATE)");
}

/// The iterator, with the helper that finds the socket of a file.
Result<void> try_files() {
    constexpr std::int16_t offset_of_file = 24; // struct bpf_iter__task_file
    const auto program = load_program(
        BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER,
        program_of(insn::load(1, 1, offset_of_file), insn::skip_if_set(1, 2), insn::set(0, 0),
                   insn::leave(), insn::call(BPF_FUNC_sock_from_file), insn::set(0, 0)),
        "task_file");
    if (!program)
        return fail(program.error());
    return done_if(Fd(::bpf_link_create(program->get(), 0, BPF_TRACE_ITER, nullptr)),
                   "bpf(BPF_LINK_CREATE)");
}

/// SO_KEEPALIVE and its like on live connections, from the iterator that visits them.
Result<void> try_retuning() {
    constexpr std::int16_t offset_of_socket = 8; // struct bpf_iter__tcp
    constexpr int on = 1;
    return forget(load_program(
        BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER,
        program_of(insn::load(1, 1, offset_of_socket), insn::skip_if_set(1, 2), insn::set(0, 0),
                   insn::leave(), insn::store_zero(10, -8), insn::set(2, SOL_SOCKET),
                   insn::set(3, SO_KEEPALIVE), insn::copy(4, 10), insn::add(4, -8),
                   insn::set(5, sizeof(on)), insn::call(BPF_FUNC_setsockopt), insn::set(0, 0)),
        "tcp"));
}

/// A socket that an iterator over TCP sockets is sure to meet.
Result<Fd> listen_anywhere() {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket || ::listen(socket.get(), 1) != 0)
        return fail(Error::system("listen", errno));
    return socket;
}

Result<void> try_reuse_delay() {
    constexpr auto file = "/proc/sys/net/ipv4/tcp_tw_reuse_delay"; // since Linux 6.14
    return ::access(file, R_OK) == 0 ? Result<void>()
                                     : fail(Error::system("read tcp_tw_reuse_delay", errno));
}

Result<void> try_port_walk() {
    const auto walk = PortWalk::load();
    if (!walk)
        return fail(walk.error());
    (*walk)->begin(1);
    const auto more = (*walk)->step(std::chrono::milliseconds(1));
    return more ? Result<void>() : fail(more.error());
}

/// TCP_BPF_SOCK_OPS_CB_FLAGS, by asking for it: an iterator prints something where it got it.
Result<void> try_watching() {
    constexpr std::int16_t offset_of_socket = 8; // struct bpf_iter__tcp
    constexpr int cb_flags = 1008; // include/uapi/linux/bpf.h, TCP_BPF_SOCK_OPS_CB_FLAGS
    const auto program = load_program(
        BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER,
        program_of(insn::copy(6, 1), insn::load(1, 6, offset_of_socket), insn::skip_if_set(1, 2),
                   insn::set(0, 0), insn::leave(), insn::store_zero(10, -8),
                   insn::set(2, IPPROTO_TCP), insn::set(3, cb_flags), insn::copy(4, 10),
                   insn::add(4, -8), insn::set(5, sizeof(int)), insn::call(BPF_FUNC_getsockopt),
                   insn::skip_if_set(0, 6), insn::load(1, 6, 0), insn::load(1, 1, 0),
                   insn::copy(2, 10), insn::add(2, -8), insn::set(3, 1),
                   insn::call(BPF_FUNC_seq_write), insn::set(0, 0)),
        "tcp");
    const auto socket = listen_anywhere();
    if (!program || !socket)
        return fail(program ? socket.error() : program.error());
    const Fd link(::bpf_link_create(program->get(), 0, BPF_TRACE_ITER, nullptr));
    const Fd iterator(link ? ::bpf_iter_create(link.get()) : -1);
    char met = 0;
    const auto got = iterator ? ::read(iterator.get(), &met, 1) : -1;
    if (got < 0)
        return fail(Error::system("read an iterator over TCP sockets", errno));
    return got == 1 ? Result<void>()
                    : fail(Error::system("bpf_getsockopt(TCP_BPF_SOCK_OPS_CB_FLAGS)", EINVAL));
}

Result<void> try_namespaces() {
    const Fd own(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!own)
        return done_if(own, "open /proc/self/ns/net");
    return ::setns(own.get(), CLONE_NEWNET) ? Result<void>(fail(Error::system("setns", errno)))
                                            : Result<void>();
}

std::vector<Feature> features(const std::string& cgroup) {
    return {
        {"kernel type information (BTF)", "no program can be loaded", true, try_btf},
        {"bpf file system", "nothing survives the daemon", true, try_bpffs},
        {"cgroup v2 hierarchy", "connect() cannot be governed", true,
         [cgroup] { return try_cgroup(cgroup); }},
        {"memory-mapped array maps", "daemon and programs cannot share counts", true,
         try_mapped_array},
        {"prefix tries in an array of maps", "a policy cannot be replaced at once", true,
         try_policy_maps},
        {"queue maps", "destinations cannot be recycled", true, try_queue},
        {"atomic compare-and-exchange", "limits cannot be exact", true, try_atomics},
        {"coarse clock in cgroup/connect4", "a silent daemon cannot be noticed", true, try_clock},
        {"bpf_set_retval in cgroup/connect4", "a refusal would be EPERM, which nobody retries",
         true, try_set_retval},
        {"links of programs to cgroups", "enforcement would end with the daemon", true,
         [cgroup] { return try_cgroup_link(cgroup); }},
        {"bpf_setsockopt in sockops", "connect_timeout cannot be taken back", true, try_tuning},
        {"bpf_setsockopt in iter/tcp", "keepalive of older connections cannot be set", true,
         try_retuning},
        {"storage of sockets", "neither connect_timeout nor keepalive can be set", false,
         try_storage},
        {"cgroup/sock_release", "failed connects would stay counted", true,
         [] {
             return forget(load_program(BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_RELEASE,
                                        program_of(insn::set(0, 1))));
         }},
        {"older sockets watched by sockops",
         "the end of an older connection may go unseen on a busy host until a sweep", false,
         try_watching},
        {"tp_btf/inet_sock_set_state", "closed connections would stay counted", true,
         [] { return try_tracepoint("inet_sock_set_state"); }},
        {"tp_btf/tcp_destroy_sock", "failed connects would stay counted", true,
         [] { return try_tracepoint("tcp_destroy_sock"); }},
        {"tp_btf/tcp_retransmit_skb", "half-open connections would not be found", true,
         [] { return try_tracepoint("tcp_retransmit_skb"); }},
        {"tp_btf/tcp_receive_reset", "late refusals would not be found", true,
         [] { return try_tracepoint("tcp_receive_reset"); }},
        {"tp_btf/inet_sk_error_report", "failed keepalive would not be found", true,
         [] { return try_tracepoint("inet_sk_error_report"); }},
        {"SOCK_DESTROY", "half-open flows can only be reported", false, netlink::try_destroy},
        {"iter/tcp with socket cookies", "older connections cannot be counted", true, try_sweep},
        {"iter/task_file with sockets", "sweeps of many network namespaces are seldom", false,
         try_files},
        {"counting of local ports", "who runs out of local ports is not foretold", false,
         try_port_walk},
        {"watching of local ports", "a sudden use of local ports is seen at the next pass only",
         false, PortHooks::try_load},
        {"watching of listeners", "full listen queues and stuck servers are not reported", false,
         ListenWalk::try_load},
        {"shedding at the NIC", "no SYN is refused before the accept queue is full", false,
         Shedder::try_load},
        {"net.ipv4.tcp_tw_reuse_delay", "tw_reuse waits for a second, whatever the rate", false,
         try_reuse_delay},
        {"relief at connect()", "own_range, spread and refuse are not done", false,
         try_connect_relief},
        {"entering network namespaces", "containers' older connections are not counted", false,
         try_namespaces},
    };
}

Probe judge(const Feature& feature) {
    Probe probe{feature.name, Answer::yes, "", feature.cost, feature.required};
    const auto outcome = feature.attempt();
    if (outcome)
        return probe;
    const bool no_privilege = ::geteuid() != 0 && (outcome.error().errno_value() == EPERM ||
                                                   outcome.error().errno_value() == EACCES);
    probe.answer = no_privilege ? Answer::unknown : Answer::no;
    probe.detail = no_privilege ? outcome.error().message() + "; ask again as root"
                                : outcome.error().message();
    return probe;
}

} // namespace

std::vector<Probe> probe_features(const std::string& cgroup_path) {
    libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });
    std::vector<Probe> probes;
    for (const auto& feature : features(cgroup_path))
        probes.push_back(judge(feature));
    return probes;
}

bool can_watch_sockets() {
    return try_watching().has_value();
}

bool lacks_required(const std::vector<Probe>& probes) {
    return std::ranges::any_of(
        probes, [](const Probe& p) { return p.required && p.answer != Answer::yes; });
}

} // namespace ballast::kernel

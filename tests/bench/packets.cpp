// SPDX-License-Identifier: Apache-2.0
// What the program that sheds SYNs takes for a packet, by test-run beside one that does nothing.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <vector>

#include <bpf/bpf.h>
#include <nlohmann/json.hpp>

#include "daemon/util/fd.h"
#include "tests/bench/commands.h"
#include "tests/bench/frames.h"

namespace ballast::bench {

namespace {

/// Runs of `packets` each; where a packet is answered, it is another one afterwards.
struct Repeats {
    int rounds;
    int packets;
};
constexpr Repeats in_a_row{.rounds = 9, .packets = 200'000};
constexpr Repeats once{.rounds = 4'001, .packets = 1};

Result<Fd> load_empty() {
    const std::array<bpf_insn, 2> code{
        bpf_insn{
            .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = -1},
        bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
    Fd program(::bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "empty", "GPL", code.data(), code.size(),
                               nullptr));
    return program ? Result<Fd>(std::move(program))
                   : fail(Error::system("load a program that does nothing", errno));
}

/// Median of ns a packet, as the kernel takes the time.
Result<double> time_of(int program, const Frame& frame, Repeats repeats, int& verdict) {
    std::vector<double> each(static_cast<std::size_t>(repeats.rounds));
    for (auto& one : each) {
        bpf_test_run_opts options{};
        options.sz = sizeof options;
        options.data_in = frame.data();
        options.data_size_in = static_cast<__u32>(frame.size());
        options.repeat = repeats.packets;
        if (::bpf_prog_test_run_opts(program, &options) != 0)
            return fail(Error::system("run a program on a frame", errno));
        one = options.duration;
        verdict = static_cast<int>(options.retval);
    }
    std::ranges::sort(each);
    return each.at(each.size() / 2);
}

} // namespace

Result<void> time_packets(const PacketsOptions& options) {
    const Fd program(::bpf_prog_get_fd_by_id(options.program));
    if (!program)
        return fail(Error::system(fmt::format("open program {}", options.program), errno));
    const auto empty = load_empty();
    if (!empty)
        return fail(empty.error());
    nlohmann::json out;
    const auto take = [&](const char* name, int of, const Frame& frame,
                          Repeats repeats) -> Result<void> {
        int verdict = 0;
        const auto ns = time_of(of, frame, repeats, verdict);
        if (!ns)
            return fail(ns.error());
        out[name] = {{"ns", *ns}, {"verdict", verdict}};
        return {};
    };
    constexpr std::uint8_t syn = 0x02, ack = 0x10;
    const Endpoint from{neighbour_of(options.to.address), 40'000};
    const auto frame_to = [&](const Endpoint& to, std::uint8_t flags) {
        return frame_of(from, to, flags);
    };
    const auto elsewhere =
        Endpoint{options.to.address, static_cast<std::uint16_t>(options.to.port + 1)};
    return take("empty", empty->get(), frame_to(options.to, ack), in_a_row)
        .and_then([&] { return take("ack", program.get(), frame_to(options.to, ack), in_a_row); })
        .and_then(
            [&] { return take("other_syn", program.get(), frame_to(elsewhere, syn), in_a_row); })
        .and_then([&] { return take("syn", program.get(), frame_to(options.to, syn), in_a_row); })
        .and_then([&] { return take("empty_once", empty->get(), frame_to(options.to, syn), once); })
        .and_then([&] { return take("syn_once", program.get(), frame_to(options.to, syn), once); })
        .and_then([&]() -> Result<void> {
            std::puts(out.dump().c_str());
            return {};
        });
}

} // namespace ballast::bench

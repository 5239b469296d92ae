// SPDX-License-Identifier: Apache-2.0
// What the program that sheds SYNs takes for a packet, by test-run beside one that does nothing.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <vector>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <nlohmann/json.hpp>

#include "daemon/util/fd.h"
#include "tests/bench/commands.h"

namespace ballast::bench {

namespace {

using Frame = std::array<std::uint8_t, 14 + 20 + 20>;

/// Runs of so many packets each; where a packet is answered, it is another one afterwards.
struct Repeats {
    int rounds;
    int packets;
};
constexpr Repeats in_a_row{.rounds = 9, .packets = 200'000};
constexpr Repeats once{.rounds = 4'001, .packets = 1};

void put_word(Frame& frame, std::size_t at, unsigned value) {
    frame.at(at) = static_cast<std::uint8_t>(value >> 8);
    frame.at(at + 1) = static_cast<std::uint8_t>(value);
}

std::uint16_t checksum(const Frame& frame, std::size_t begin, std::size_t end) {
    std::uint32_t sum = 0;
    for (std::size_t i = begin; i < end; i += 2)
        sum += static_cast<std::uint32_t>(frame.at(i) << 8 | frame.at(i + 1));
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

/// A segment without data to an IPv4 endpoint.
Frame frame_of(const Endpoint& to, std::uint8_t flags) {
    Frame frame{};
    put_word(frame, 12, 0x0800);
    frame.at(14) = 0x45;
    put_word(frame, 16, 40);
    frame.at(22) = 64;
    frame.at(23) = 6;
    std::copy_n(to.address.bytes.begin() + 12, 4, frame.begin() + 26);
    frame.at(29) ^= 1; // a neighbour
    std::copy_n(to.address.bytes.begin() + 12, 4, frame.begin() + 30);
    put_word(frame, 24, checksum(frame, 14, 34));
    put_word(frame, 34, 40'000);
    put_word(frame, 36, to.port);
    frame.at(46) = 0x50;
    frame.at(47) = flags;
    return frame;
}

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
    const auto elsewhere =
        Endpoint{options.to.address, static_cast<std::uint16_t>(options.to.port + 1)};
    return take("empty", empty->get(), frame_of(options.to, ack), in_a_row)
        .and_then([&] { return take("ack", program.get(), frame_of(options.to, ack), in_a_row); })
        .and_then(
            [&] { return take("other_syn", program.get(), frame_of(elsewhere, syn), in_a_row); })
        .and_then([&] { return take("syn", program.get(), frame_of(options.to, syn), in_a_row); })
        .and_then([&] { return take("empty_once", empty->get(), frame_of(options.to, syn), once); })
        .and_then([&] { return take("syn_once", program.get(), frame_of(options.to, syn), once); })
        .and_then([&]() -> Result<void> {
            std::puts(out.dump().c_str());
            return {};
        });
}

} // namespace ballast::bench

// SPDX-License-Identifier: Apache-2.0
// The few BPF instructions that the feature probes are made of (Documentation/bpf/instruction-set).
#pragma once

#include <cstdint>

#include <linux/bpf.h>

namespace ballast::kernel::insn {

constexpr bpf_insn make(int code, std::uint8_t dst, std::uint8_t src, std::int16_t offset,
                        std::int32_t immediate) {
    bpf_insn instruction{};
    instruction.code = static_cast<std::uint8_t>(code);
    instruction.dst_reg = dst & 0xF;
    instruction.src_reg = src & 0xF;
    instruction.off = offset;
    instruction.imm = immediate;
    return instruction;
}

constexpr bpf_insn set(std::uint8_t reg, std::int32_t value) {
    return make(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value);
}
constexpr bpf_insn copy(std::uint8_t to, std::uint8_t from) {
    return make(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}
constexpr bpf_insn add(std::uint8_t reg, std::int32_t value) {
    return make(BPF_ALU64 | BPF_K, reg, 0, 0, value); // BPF_ADD is 0
}
constexpr bpf_insn store_zero(std::uint8_t address, std::int16_t offset) {
    return make(BPF_ST | BPF_MEM | BPF_DW, address, 0, offset, 0);
}
constexpr bpf_insn load(std::uint8_t to, std::uint8_t address, std::int16_t offset) {
    return make(BPF_LDX | BPF_MEM | BPF_DW, to, address, offset, 0);
}
constexpr bpf_insn compare_exchange(std::uint8_t address, std::uint8_t value, std::int16_t offset) {
    return make(BPF_STX | BPF_ATOMIC | BPF_DW, address, value, offset, BPF_CMPXCHG);
}
/// Skips `count` instructions when the register is not 0.
constexpr bpf_insn skip_if_set(std::uint8_t reg, std::int16_t count) {
    return make(BPF_JMP | BPF_JNE | BPF_K, reg, 0, count, 0);
}
constexpr bpf_insn call(std::int32_t helper) {
    return make(BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}
constexpr bpf_insn leave() {
    return make(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

} // namespace ballast::kernel::insn

// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/frames.h"

#include <algorithm>

namespace ballast::bench {

namespace {

constexpr std::size_t ip = 14, tcp = 34;

void put_word(Frame& frame, std::size_t at, unsigned value) {
    frame.at(at) = static_cast<std::uint8_t>(value >> 8);
    frame.at(at + 1) = static_cast<std::uint8_t>(value);
}

/// RFC 1071.
unsigned checksum(const Frame& frame, std::size_t begin, std::size_t end, std::uint32_t sum) {
    for (std::size_t i = begin; i < end; i += 2)
        sum += static_cast<std::uint32_t>(frame.at(i) << 8 | frame.at(i + 1));
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

void seal(Frame& frame) {
    constexpr std::uint32_t pseudo = 6 + 20; // protocol and length; the addresses lie before TCP
    put_word(frame, tcp + 16, 0);
    put_word(frame, tcp + 16, checksum(frame, ip + 12, frame.size(), pseudo));
}

} // namespace

Frame frame_of(const Endpoint& from, const Endpoint& to, std::uint8_t flags) {
    Frame frame{};
    put_word(frame, 12, 0x0800);
    frame.at(ip) = 0x45;
    put_word(frame, ip + 2, 40);
    frame.at(ip + 8) = 64;
    frame.at(ip + 9) = 6;
    std::copy_n(from.address.bytes.begin() + 12, 4, frame.begin() + ip + 12);
    std::copy_n(to.address.bytes.begin() + 12, 4, frame.begin() + ip + 16);
    put_word(frame, ip + 10, checksum(frame, ip, tcp, 0));
    put_word(frame, tcp, from.port);
    put_word(frame, tcp + 2, to.port);
    frame.at(tcp + 12) = 0x50;
    frame.at(tcp + 13) = flags;
    put_word(frame, tcp + 14, 64'240);
    seal(frame);
    return frame;
}

void set_source_port(Frame& frame, std::uint16_t port) {
    put_word(frame, tcp, port);
    seal(frame);
}

Address neighbour_of(const Address& address) {
    Address other = address;
    other.bytes.at(14) ^= 1;
    return other;
}

} // namespace ballast::bench

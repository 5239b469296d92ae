// SPDX-License-Identifier: Apache-2.0
// SYNs as fast as they are taken. Over a veth pair the receiver works within the sender's send(),
// so that the rate is what one core takes of them, answers included.
#include <array>
#include <cstdio>
#include <cstring>
#include <vector>

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

#include "daemon/util/fd.h"
#include "tests/bench/commands.h"
#include "tests/bench/frames.h"

namespace ballast::bench {

namespace {

constexpr std::size_t at_a_time = 64;

/// From the same addresses with other ports, and after 60,000 from the next address.
class Sender {
public:
    Sender(const Endpoint& from, const Endpoint& to, const std::array<std::uint8_t, 6>& target)
        : from_(from), to_(to), target_(target), frames_(at_a_time) {
        make();
    }

    /// The next of them, as many as there are messages.
    std::vector<mmsghdr>& next() {
        for (auto& frame : frames_) {
            if (++from_.port < 1'024) {
                from_.port = 1'024;
                ++from_.address.bytes.back();
                make();
            }
            set_source_port(frame, from_.port);
        }
        return messages_;
    }

private:
    void make() {
        constexpr std::uint8_t syn = 0x02;
        parts_.resize(frames_.size());
        messages_.resize(frames_.size());
        for (std::size_t i = 0; i < frames_.size(); ++i) {
            frames_.at(i) = frame_of(from_, to_, syn);
            std::copy(target_.begin(), target_.end(), frames_.at(i).begin());
            parts_.at(i) = {frames_.at(i).data(), frames_.at(i).size()};
            messages_.at(i) = {};
            messages_.at(i).msg_hdr.msg_iov = &parts_.at(i);
            messages_.at(i).msg_hdr.msg_iovlen = 1;
        }
    }

    Endpoint from_, to_;
    std::array<std::uint8_t, 6> target_;
    std::vector<Frame> frames_;
    std::vector<iovec> parts_;
    std::vector<mmsghdr> messages_;
};

Result<Fd> open_device(const std::string& name) {
    sockaddr_ll device{};
    device.sll_family = AF_PACKET;
    device.sll_protocol = 0; // nothing is received
    device.sll_ifindex = static_cast<int>(::if_nametoindex(name.c_str()));
    Fd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    if (!socket || device.sll_ifindex == 0 ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&device), sizeof device) != 0)
        return fail(Error::system(fmt::format("open device {}", name), errno));
    return socket;
}

} // namespace

Result<void> send_syns(const SynsOptions& options) {
    std::array<unsigned, 6> bytes{};
    std::array<std::uint8_t, 6> target{};
    if (std::sscanf(options.ethernet.c_str(), "%x:%x:%x:%x:%x:%x", &bytes[0], &bytes[1], &bytes[2],
                    &bytes[3], &bytes[4], &bytes[5]) != 6)
        return fail(Error(fmt::format("{} is no address of Ethernet", options.ethernet)));
    for (std::size_t i = 0; i < bytes.size(); ++i)
        target.at(i) = static_cast<std::uint8_t>(bytes.at(i));
    const auto socket = open_device(options.device);
    if (!socket)
        return fail(socket.error());
    Sender sender({neighbour_of(options.to.address), 1'023}, options.to, target);
    std::uint64_t sent = 0;
    const auto begin = Clock::now();
    while (Clock::now() - begin < options.lasting) {
        auto& messages = sender.next();
        const int taken =
            ::sendmmsg(socket->get(), messages.data(), static_cast<unsigned>(messages.size()), 0);
        if (taken < 0 && errno != ENOBUFS)
            return fail(Error::system("send SYNs", errno));
        sent += taken > 0 ? static_cast<std::uint64_t>(taken) : 0;
    }
    const auto took = std::chrono::duration<double>(Clock::now() - begin).count();
    std::puts(nlohmann::json{{"sent", sent}, {"per_second", static_cast<double>(sent) / took}}
                  .dump()
                  .c_str());
    return {};
}

} // namespace ballast::bench

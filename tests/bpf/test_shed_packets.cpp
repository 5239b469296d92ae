// SPDX-License-Identifier: Apache-2.0
// Promise (bpf/syn.h, bpf/rst.h): only what is a whole SYN is taken for one, and the RST that
// refuses it is right. The program as a daemon attached it, given frames by test-run: a table of
// them, and 100,000 that are made of these at random, judged by a reader of its own.
#include <array>
#include <functional>
#include <optional>
#include <random>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <net/if.h>

#include "tests/e2e/failing.h"
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/wait.h"

namespace test_shed_packets {

using namespace ballast;
using namespace ballast::test;

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr int pass = -1;                       // TC_ACT_UNSPEC
constexpr int answered = 7;                    // TC_ACT_REDIRECT
constexpr std::uint32_t sequence = 0xfffffff0; // what acknowledges it goes past 0

std::uint16_t word_at(const Bytes& bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes.at(at) << 8 | bytes.at(at + 1));
}
std::uint32_t long_at(const Bytes& bytes, std::size_t at) {
    return static_cast<std::uint32_t>(word_at(bytes, at)) << 16 | word_at(bytes, at + 2);
}
void put_word(Bytes& bytes, std::size_t at, unsigned value) {
    bytes.at(at) = static_cast<std::uint8_t>(value >> 8);
    bytes.at(at + 1) = static_cast<std::uint8_t>(value);
}

/// RFC 1071, over what lies from `begin` to `end`, after `sum`.
std::uint32_t summed(const Bytes& bytes, std::size_t begin, std::size_t end,
                     std::uint32_t sum = 0) {
    for (std::size_t i = begin; i < end; ++i)
        sum += static_cast<std::uint32_t>(bytes.at(i)) << ((i - begin) % 2 == 0 ? 8 : 0);
    return sum;
}
std::uint16_t folded(std::uint32_t sum) {
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

constexpr std::size_t link = 14;

struct Shape {
    Bytes options = {};    ///< of IPv4, or extension headers of IPv6
    std::uint8_t next = 6; ///< what IPv6's first header is
    Bytes tcp_options = {};
    std::size_t payload = 0;
    std::uint8_t flags = 0x02;
};

/// A frame from `from` to the listener.
Bytes frame_of(const Dest& dest, const std::string& from, const Shape& shape) {
    Bytes frame(link);
    const bool is_v4 = dest.v4();
    put_word(frame, 12, is_v4 ? 0x0800 : 0x86dd);
    const std::size_t header = (is_v4 ? 20 : 40) + shape.options.size();
    const std::size_t segment = 20 + shape.tcp_options.size() + shape.payload;
    frame.resize(link + header + segment);
    std::array<std::uint8_t, 16> source{}, target{};
    need(::inet_pton(is_v4 ? AF_INET : AF_INET6, from.c_str(), source.data()) == 1, "inet_pton");
    need(::inet_pton(is_v4 ? AF_INET : AF_INET6, dest.host.c_str(), target.data()) == 1,
         "inet_pton");
    if (is_v4) {
        frame.at(link) = static_cast<std::uint8_t>(0x40 | header / 4);
        put_word(frame, link + 2, static_cast<unsigned>(header + segment));
        frame.at(link + 8) = 64;
        frame.at(link + 9) = 6;
        std::copy_n(source.begin(), 4, frame.begin() + link + 12);
        std::copy_n(target.begin(), 4, frame.begin() + link + 16);
        std::ranges::copy(shape.options, frame.begin() + link + 20);
        put_word(frame, link + 10,
                 static_cast<std::uint16_t>(~folded(summed(frame, link, link + header))));
    } else {
        frame.at(link) = 0x60;
        put_word(frame, link + 4, static_cast<unsigned>(header - 40 + segment));
        frame.at(link + 6) = shape.options.empty() ? 6 : shape.next;
        frame.at(link + 7) = 64;
        std::copy_n(source.begin(), 16, frame.begin() + link + 8);
        std::copy_n(target.begin(), 16, frame.begin() + link + 24);
        std::ranges::copy(shape.options, frame.begin() + link + 40);
    }
    const std::size_t tcp = link + header;
    put_word(frame, tcp, 40'000);
    put_word(frame, tcp + 2, static_cast<unsigned>(dest.port));
    put_word(frame, tcp + 4, sequence >> 16);
    put_word(frame, tcp + 6, sequence & 0xffff);
    frame.at(tcp + 12) = static_cast<std::uint8_t>((20 + shape.tcp_options.size()) / 4 << 4);
    frame.at(tcp + 13) = shape.flags;
    put_word(frame, tcp + 14, 64'240);
    std::ranges::copy(shape.tcp_options, frame.begin() + static_cast<std::ptrdiff_t>(tcp) + 20);
    return frame;
}

/// What a reader that has nothing to do with the program's makes of a frame: whether it is a whole
/// SYN to the listener, and how much data it has.
struct Reading {
    bool is_syn = false;
    std::size_t transport = 0; ///< from the frame's beginning
    std::size_t payload = 0;
};

/// Where its segment begins and ends, from the frame's beginning; none: it is not to the listener,
/// or not sound.
struct Segment {
    std::size_t begin, end;
};

bool has(const Bytes& frame, std::size_t at, const std::uint8_t* bytes, std::size_t count) {
    return std::equal(bytes, bytes + count, frame.begin() + static_cast<std::ptrdiff_t>(at));
}

std::optional<Segment> segment_of_ipv4(const Bytes& frame, const std::uint8_t* target) {
    const std::size_t header = (frame.at(link) & 15U) * 4;
    const bool is_sound = frame.at(link) >> 4 == 4 && header >= 20 &&
                          link + header <= frame.size() && frame.at(link + 9) == 6 &&
                          (word_at(frame, link + 6) & 0x3fff) == 0 &&
                          folded(summed(frame, link, link + header)) == 0xffff;
    if (!is_sound || !has(frame, link + 16, target, 4) || frame.at(link + 12) == 0 ||
        frame.at(link + 12) >= 224)
        return std::nullopt;
    return Segment{link + header, link + word_at(frame, link + 2)};
}

std::optional<Segment> segment_of_ipv6(const Bytes& frame, const std::uint8_t* target) {
    static constexpr std::array<std::uint8_t, 16> nobody{};
    if (frame.size() < link + 60 || frame.at(link) >> 4 != 6 || frame.at(link + 6) != 6 ||
        !has(frame, link + 24, target, 16) || frame.at(link + 8) == 0xff ||
        has(frame, link + 8, nobody.data(), 16))
        return std::nullopt;
    return Segment{link + 40, link + 40 + word_at(frame, link + 4)};
}

/// Long enough for TCP, and not sent to another host's address.
bool is_for_the_listener(const Bytes& frame, const Dest& dest) {
    static constexpr std::array<std::uint8_t, 6> ours{};
    return frame.size() >= link + 40 && has(frame, 0, ours.data(), ours.size()) &&
           word_at(frame, 12) == (dest.v4() ? 0x0800 : 0x86dd);
}

Reading read_frame(const Bytes& frame, const Dest& dest) {
    if (!is_for_the_listener(frame, dest))
        return {};
    std::array<std::uint8_t, 16> target{};
    (void)::inet_pton(dest.v4() ? AF_INET : AF_INET6, dest.host.c_str(), target.data());
    const auto segment =
        dest.v4() ? segment_of_ipv4(frame, target.data()) : segment_of_ipv6(frame, target.data());
    if (!segment || segment->end > frame.size() || segment->begin + 20 > segment->end)
        return {};
    const auto tcp = segment->begin;
    const std::size_t header = (frame.at(tcp + 12) >> 4U) * 4U;
    if (header < 20 || tcp + header > segment->end || (frame.at(tcp + 13) & 0x17) != 0x02 ||
        word_at(frame, tcp) == 0 || word_at(frame, tcp + 2) != dest.port)
        return {};
    return {.is_syn = true, .transport = tcp, .payload = segment->end - tcp - header};
}

/// A daemon's program, in the namespace of its listener, which has no room.
struct Stand {
    Scene& scene;
    Dest dest;
    Fd program;

    int run(const Bytes& frame, Bytes& reply) const {
        reply.assign(2048, 0);
        bpf_test_run_opts options{};
        options.sz = sizeof options;
        options.data_in = frame.data();
        options.data_size_in = static_cast<__u32>(frame.size());
        options.data_out = reply.data();
        options.data_size_out = static_cast<__u32>(reply.size());
        int failed = 0;
        {
            const Inside inside(scene.link.server.fd());
            failed = ::bpf_prog_test_run_opts(program.get(), &options);
        }
        if (failed != 0) // shorter than a header: the kernel does not take it
            return pass;
        reply.resize(options.data_size_out);
        return static_cast<int>(options.retval);
    }
};

Fd program_of(const std::string& bpffs, unsigned device) {
    if (const Fd filter{::bpf_obj_get(fmt::format("{}/shed_filter_{}", bpffs, device).c_str())})
        return Fd(::dup(filter.get()));
    const Fd pinned(::bpf_obj_get(fmt::format("{}/shed_link_{}", bpffs, device).c_str()));
    bpf_link_info info{};
    __u32 length = sizeof info;
    need(::bpf_obj_get_info_by_fd(pinned.get(), &info, &length) == 0, "describe the link");
    return Fd(::bpf_prog_get_fd_by_id(info.prog_id));
}

Stand& stand(const Family& family) {
    const Link both = make_link();
    auto& ballastd = make<Ballastd>(limit_policy(100'000, "observe"),
                                    BallastdOptions{.cgroup = {},
                                                    .bpffs = {},
                                                    .mount_namespace = -1,
                                                    .network_namespace = both.server.fd(),
                                                    .arguments = {}});
    auto& scene = make<Scene>(both, ballastd);
    auto& listener = make<Listener>(both.server, Dest{family.server, 0}, 1);
    ballastd.write_policy(
        limit_policy(100'000, "observe") +
        fmt::format("[listeners]\ninterfaces = [\"s0\"]\n[[listener]]\nname = \"test\"\n"
                    "on = [\"{}\"]\nmode = \"enforce\"\nlow = 1\nhigh = 2\n",
                    listener.dest().text()));
    open_connections(both.client, listener.dest(), 1); // which stays in the queue
    ballastd.start();
    unsigned device = 0;
    {
        const Inside inside(both.server.fd());
        device = ::if_nametoindex("s0");
    }
    return make<Stand>(scene, listener.dest(), program_of(ballastd.bpffs(), device));
}

/// The RST for a frame is what RFC 9293, 3.10.7.1 has, and its checksums hold: the whole one, and
/// as the sum of the pseudo header that a device completes.
void check_reply(const Bytes& frame, const Bytes& reply, const Reading& reading,
                 const std::string& what) {
    const bool is_v4 = word_at(frame, 12) == 0x0800;
    const std::size_t tcp = reading.transport, length = is_v4 ? 4 : 16;
    const std::size_t source = link + (is_v4 ? 12 : 8), target = source + length;
    check_equal(reply.size(), tcp + 20, what + ": length");
    const auto same = [&](std::size_t mine, std::size_t theirs, std::size_t bytes) {
        return std::equal(reply.begin() + static_cast<std::ptrdiff_t>(mine),
                          reply.begin() + static_cast<std::ptrdiff_t>(mine + bytes),
                          frame.begin() + static_cast<std::ptrdiff_t>(theirs));
    };
    check(same(0, 6, 6) && same(6, 0, 6) && same(12, 12, 2), what + ": Ethernet");
    check(same(source, target, length) && same(target, source, length), what + ": addresses");
    check(same(tcp, tcp + 2, 2) && same(tcp + 2, tcp, 2), what + ": ports");
    check_equal(long_at(reply, tcp + 8),
                static_cast<std::uint32_t>(long_at(frame, tcp + 4) + 1 + reading.payload),
                what + ": acknowledges");
    check_equal(word_at(reply, tcp + 12), std::uint16_t{0x5014}, what + ": flags");
    if (is_v4) {
        check_equal(folded(summed(reply, link, tcp)), std::uint16_t{0xffff},
                    what + ": IP checksum");
        check_equal(word_at(reply, link + 2), static_cast<std::uint16_t>(tcp + 20 - link),
                    what + ": IP length");
    } else {
        check_equal(word_at(reply, link + 4), std::uint16_t{20}, what + ": IP length");
    }
    const auto pseudo = summed(reply, source, source + 2 * length, 6 + 20);
    check_equal(folded(summed(reply, tcp, reply.size(), pseudo)), std::uint16_t{0xffff},
                what + ": TCP checksum");
    check(word_at(reply, tcp + 16) % 0xffff == folded(pseudo) % 0xffff,
          what + ": as a partial one");
}

struct Row {
    const char* what;
    int verdict;
    Shape shape;
    std::function<void(Bytes& frame, std::size_t tcp)> change;
};

void leave(Bytes& /*frame*/, std::size_t /*tcp*/) {}
void fix_ipv4(Bytes& frame) {
    put_word(frame, link + 10, 0);
    const std::size_t end = link + (frame.at(link) & 15U) * 4;
    put_word(frame, link + 10, static_cast<std::uint16_t>(~folded(summed(frame, link, end))));
}

const Bytes mss{2, 4, 5, 0xb4};
const Bytes usual{2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7};
const Bytes router_alert{0x94, 4, 0, 0};
const Bytes record_route{7, 39, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                         0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

std::vector<Row> rows_for_both() {
    return {
        {"a bare SYN", answered, {}, leave},
        {"the options that Linux sends", answered, {.tcp_options = usual}, leave},
        {"SYN with data, as of fast open", answered, {.tcp_options = mss, .payload = 333}, leave},
        {"with ECN", answered, {.flags = 0xc2}, leave},
        {"with PSH and URG", answered, {.flags = 0x2a}, leave},
        {"padded by Ethernet",
         answered,
         {},
         [](Bytes& frame, std::size_t) { frame.resize(frame.size() + 30); }},
        {"SYN, ACK", pass, {.flags = 0x12}, leave},
        {"SYN, RST", pass, {.flags = 0x06}, leave},
        {"SYN, FIN", pass, {.flags = 0x03}, leave},
        {"ACK", pass, {.flags = 0x10}, leave},
        {"no flags", pass, {.flags = 0}, leave},
        {"header shorter than TCP's",
         pass,
         {},
         [](Bytes& frame, std::size_t tcp) { frame.at(tcp + 12) = 0x40; }},
        {"header beyond the end",
         pass,
         {},
         [](Bytes& frame, std::size_t tcp) { frame.at(tcp + 12) = 0x60; }},
        {"cut off",
         pass,
         {.tcp_options = usual},
         [](Bytes& frame, std::size_t) { frame.pop_back(); }},
        {"no source port",
         pass,
         {},
         [](Bytes& frame, std::size_t tcp) { put_word(frame, tcp, 0); }},
        {"another port", pass, {}, [](Bytes& frame, std::size_t tcp) { frame.at(tcp + 3) ^= 1; }},
        {"another host's address of Ethernet",
         pass,
         {},
         [](Bytes& frame, std::size_t) { frame.at(0) = 2; }},
        {"another protocol",
         pass,
         {},
         [](Bytes& frame, std::size_t) { put_word(frame, 12, 0x0806); }},
    };
}

/// Puts words into the IPv4 header, whose checksum holds afterwards.
std::function<void(Bytes&, std::size_t)>
set_ipv4(std::vector<std::pair<std::size_t, unsigned>> words) {
    return [words = std::move(words)](Bytes& frame, std::size_t) {
        for (const auto& [at, value] : words)
            put_word(frame, link + at, value);
        fix_ipv4(frame);
    };
}

std::vector<Row> rows_for_ipv4() {
    return {
        {"a router's alert", answered, {.options = router_alert}, leave},
        {"all the options that there is room for",
         answered,
         {.options = record_route, .payload = 7},
         leave},
        {"first fragment", pass, {}, set_ipv4({{6, 0x2000}})},
        {"a later fragment", pass, {}, set_ipv4({{6, 3}})},
        {"a wrong checksum", pass, {}, [](Bytes& frame, std::size_t) { frame.at(link + 8) ^= 1; }},
        {"a length beyond the frame", pass, {}, set_ipv4({{2, 41}})},
        {"a length without TCP", pass, {}, set_ipv4({{2, 30}})},
        {"another version", pass, {}, set_ipv4({{0, 0x6500}})},
        {"a header too short", pass, {}, set_ipv4({{0, 0x4400}})},
        {"from everybody", pass, {}, set_ipv4({{12, 0xff4d}})},
        {"from nobody", pass, {}, set_ipv4({{12, 0}, {14, 0}})},
        {"UDP", pass, {}, set_ipv4({{8, 0x4011}})},
        {"only forwarded", pass, {}, set_ipv4({{16, 0x0b4d}})},
    };
}

std::vector<Row> rows_for_ipv6() {
    const Bytes pad{6, 0, 1, 4, 0, 0, 0, 0};
    const Bytes first_fragment{6, 0, 0, 1, 0, 0, 0, 9};
    return {
        {"hop-by-hop options", pass, {.options = pad, .next = 0}, leave},
        {"destination options", pass, {.options = pad, .next = 60}, leave},
        {"first fragment", pass, {.options = first_fragment, .next = 44}, leave},
        {"an unknown header", pass, {.options = pad, .next = 99}, leave},
        {"a length beyond the frame",
         pass,
         {},
         [](Bytes& frame, std::size_t) { frame.at(link + 5)++; }},
        {"another version", pass, {}, [](Bytes& frame, std::size_t) { frame.at(link) = 0x40; }},
        {"from a group", pass, {}, [](Bytes& frame, std::size_t) { frame.at(link + 8) = 0xff; }},
    };
}

void judges_each_frame(const Family& family) {
    auto& on = stand(family);
    auto rows = rows_for_both();
    const bool is_v4 = family.domain == AF_INET;
    std::ranges::copy(is_v4 ? rows_for_ipv4() : rows_for_ipv6(), std::back_inserter(rows));
    Bytes reply;
    for (const auto& row : rows) {
        auto frame = frame_of(on.dest, family.client, row.shape);
        const std::size_t tcp = link + (is_v4 ? 20 : 40) + row.shape.options.size();
        row.change(frame, tcp);
        check_equal(on.run(frame, reply), row.verdict, row.what);
        const auto reading = read_frame(frame, on.dest);
        check_equal(reading.is_syn, row.verdict == answered,
                    std::string(row.what) + ": the test's reader");
        if (row.verdict == answered)
            check_reply(frame, reply, reading, row.what);
        else
            check(reply.empty() || reply == frame, std::string(row.what) + ": it is left as it is");
    }
    note(fmt::format("{} frames", rows.size()));
    const auto undecided = on.scene.ballastd.status().at("shed").at("undecided").get<int>();
    check_equal(undecided, is_v4 ? 1 : 3, "passed undecided");
}

Bytes changed_at_random(Bytes frame, std::mt19937& random) {
    for (auto changes = random() % 4; changes > 0; --changes)
        frame.at(random() % frame.size()) = static_cast<std::uint8_t>(random());
    if (random() % 8 == 0)
        frame.resize(random() % (frame.size() + 1));
    if (random() % 2 == 0 && frame.size() > link + 60 && word_at(frame, 12) == 0x0800)
        fix_ipv4(frame);
    return frame;
}

std::string hex_of(const Bytes& frame) {
    std::string hex;
    for (const auto byte : frame)
        hex += fmt::format("{:02x}", byte);
    return hex;
}

/// The program answers what the reader takes for a SYN, and passes all else.
void judges_frames_at_random(const Family& family) {
    auto& on = stand(family);
    constexpr int many = 100'000;
    std::mt19937 random(20261130);
    const std::vector<Shape> shapes{{},
                                    {.tcp_options = usual},
                                    {.tcp_options = mss, .payload = 64},
                                    {.options = family.domain == AF_INET ? router_alert : Bytes{}}};
    int syns = 0;
    Bytes reply;
    for (int i = 0; i < many; ++i) {
        const auto frame = changed_at_random(
            frame_of(on.dest, family.client, shapes.at(random() % shapes.size())), random);
        const auto reading = read_frame(frame, on.dest);
        const int verdict = on.run(frame, reply);
        if (verdict != (reading.is_syn ? answered : pass))
            fail_test(fmt::format("frame {}: verdict {}, a SYN to the reader: {}: {}", i, verdict,
                                  reading.is_syn, hex_of(frame)));
        if (reading.is_syn && ++syns % 16 == 0)
            check_reply(frame, reply, reading, "at random");
    }
    note(fmt::format("{} of {} frames are SYNs", syns, many));
    check(syns > many / 20, "some of them are SYNs");
}

} // namespace

TEST_GROUP(shed_packets) {
    return Suite()
        .each(families, "judges each frame", judges_each_frame)
        .host_each(families, "judges frames at random", judges_frames_at_random)
        .run("shed_packets");
}

} // namespace test_shed_packets

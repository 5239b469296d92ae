// SPDX-License-Identifier: Apache-2.0
// daemon/netlink/reply: what the kernel says is read in full, and nothing is read that is not
// there.
#include <cerrno>
#include <climits>
#include <cstddef>
#include <functional>
#include <random>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/diag_messages.h"

namespace test_diag_reply {

namespace {

using namespace ballast;
using namespace ballast::test;
using netlink::parse_reply;
using netlink::Reply;

/// In a block of its own of exactly that size, so that a sanitizer sees what is read past it.
Result<Reply> parse(const Bytes& bytes) {
    const Bytes exact(bytes.begin(), bytes.end());
    return parse_reply(exact, addressee);
}

Reply parsed(const Bytes& bytes) {
    const auto reply = parse(bytes);
    if (!reply)
        fail_msg("%s", reply.error().text().c_str());
    return *reply;
}

void a_socket_is_read_in_full(void**) {
    auto about = socket_message();
    about.id.idiag_if = 3;
    about.idiag_state = 8;
    about.idiag_timer = 4;
    about.idiag_retrans = 6;
    about.idiag_expires = 1234;
    about.idiag_uid = 33;
    about.idiag_inode = 987654;
    const auto reply = parsed(socket_answer(about));
    assert_true(reply.complete);
    assert_int_equal(reply.error, 0);
    DiagSocket wanted;
    wanted.key = {*parse_endpoint("10.0.0.1:40000"), *parse_endpoint("10.0.0.5:5432"),
                  0x1'0000'0002, 3};
    wanted.state = TcpState::close_wait;
    wanted.uid = 33;
    wanted.inode = 987654;
    wanted.timer = TcpTimer::probe0;
    wanted.timer_expires_ms = 1234;
    wanted.timer_retransmits = 6;
    assert_int_equal(reply.sockets.size(), 1);
    assert_true(reply.sockets.front() == wanted);
}

void addresses_of_every_family(void**) {
    struct Case {
        const char* remote;
        std::function<void(inet_diag_msg&)> change;
        bool v6_socket;
    };
    const Case cases[] = {
        {"10.0.0.5:5432", [](inet_diag_msg&) {}, false},
        {"10.0.0.5:5432", [](inet_diag_msg& m) { m = socket_message(AF_INET6); }, true},
        {"[2001:db8::5]:5432",
         [](inet_diag_msg& m) {
             m.idiag_family = AF_INET6;
             inet_pton(AF_INET6, "2001:db8::5", m.id.idiag_dst);
         },
         true},
        // the other three words of an IPv4 address mean nothing
        {"10.0.0.5:5432", [](inet_diag_msg& m) { m.id.idiag_dst[3] = ~0U; }, false},
    };
    for (const auto& [remote, change, v6_socket] : cases) {
        auto about = socket_message();
        change(about);
        const auto socket = parsed(socket_answer(about)).sockets.at(0);
        assert_string_equal(socket.key.remote.text().c_str(), remote);
        assert_int_equal(socket.v6_socket, v6_socket);
    }
}

void states_and_timers_unknown_here(void**) {
    auto about = socket_message();
    for (const auto& [value, state] : {std::pair{1, TcpState::established},
                                       {11, TcpState::closing},
                                       {12, TcpState::unknown},
                                       {255, TcpState::unknown}}) {
        about.idiag_state = static_cast<__u8>(value);
        assert_true(parsed(socket_answer(about)).sockets.at(0).state == state);
    }
    for (const auto& [value, timer] : {std::pair{0, TcpTimer::off},
                                       {1, TcpTimer::retransmit},
                                       {2, TcpTimer::keepalive},
                                       {3, TcpTimer::time_wait},
                                       {5, TcpTimer::delayed_ack},
                                       {6, TcpTimer::unknown},
                                       {255, TcpTimer::unknown}}) {
        about.idiag_timer = static_cast<__u8>(value);
        assert_true(parsed(socket_answer(about)).sockets.at(0).timer == timer);
    }
}

/// Every byte is set, so a field that is taken although only a part of it was given is not 0.
tcp_info full_info() {
    tcp_info info;
    std::memset(&info, 0xff, sizeof info);
    return info;
}

TcpFacts facts_of(const Bytes& attributes) {
    return parsed(socket_answer(socket_message(), attributes)).sockets.at(0).tcp;
}

void facts_that_were_given(void**) {
    tcp_info info{};
    info.tcpi_retransmits = 1;
    info.tcpi_probes = 2;
    info.tcpi_backoff = 3;
    info.tcpi_rto = 4;
    info.tcpi_unacked = 5;
    info.tcpi_last_data_sent = 6;
    info.tcpi_last_data_recv = 7;
    info.tcpi_last_ack_recv = 8;
    info.tcpi_rtt = 9;
    info.tcpi_snd_cwnd = 10;
    info.tcpi_total_retrans = 11;
    info.tcpi_bytes_acked = 12;
    info.tcpi_bytes_received = 13;
    info.tcpi_notsent_bytes = 14;
    info.tcpi_snd_wnd = 15;
    const TcpFacts wanted{.given = sizeof info,
                          .retransmits = 1,
                          .probes = 2,
                          .backoff = 3,
                          .rto_us = 4,
                          .unacked = 5,
                          .last_data_sent_ms = 6,
                          .last_data_recv_ms = 7,
                          .last_ack_recv_ms = 8,
                          .rtt_us = 9,
                          .snd_cwnd = 10,
                          .total_retrans = 11,
                          .bytes_acked = 12,
                          .bytes_received = 13,
                          .notsent_bytes = 14,
                          .snd_wnd = 15};
    assert_true(facts_of(info_attribute(info)) == wanted);
}

void facts_of_older_and_newer_kernels(void**) {
    const tcp_info full = full_info();
    struct Case {
        const char* what;
        std::size_t given;
        std::uint32_t total_retrans;
        std::uint64_t bytes_acked;
        std::uint32_t snd_wnd;
    };
    const Case cases[] = {
        {"nothing", 0, 0, 0, 0},
        {"one byte less than total_retrans", offsetof(tcp_info, tcpi_pacing_rate) - 1, 0, 0, 0},
        {"up to total_retrans", offsetof(tcp_info, tcpi_pacing_rate), ~0U, 0, 0},
        {"half of bytes_acked", offsetof(tcp_info, tcpi_bytes_acked) + 4, ~0U, 0, 0},
        {"all but snd_wnd", offsetof(tcp_info, tcpi_snd_wnd), ~0U, ~0ULL, 0},
        {"all that is known here", sizeof full, ~0U, ~0ULL, ~0U},
    };
    for (const auto& [what, given, total_retrans, bytes_acked, snd_wnd] : cases) {
        print_message("# %s\n", what);
        const auto tcp = facts_of(info_attribute(full, given));
        assert_int_equal(tcp.given, given);
        assert_int_equal(tcp.total_retrans, total_retrans);
        assert_int_equal(tcp.bytes_acked, bytes_acked);
        assert_int_equal(tcp.snd_wnd, snd_wnd);
    }
    const Bytes longer(sizeof full + 40, std::byte{0xff});
    const auto newer = facts_of(attribute(INET_DIAG_INFO, longer.data(), longer.size()));
    assert_int_equal(newer.given, longer.size());
    assert_int_equal(newer.snd_wnd, ~0U);
}

void attributes_around_the_facts(void**) {
    const tcp_info full = full_info();
    const char shutdown = 1;
    const auto other = attribute(INET_DIAG_SHUTDOWN, &shutdown, sizeof shutdown);
    const auto unheard_of = attribute(1234, &shutdown, 0);
    const auto tcp = facts_of(other + unheard_of + info_attribute(full) + other);
    assert_int_equal(tcp.given, sizeof full);
    assert_int_equal(facts_of(other).given, 0);
}

struct Outcome {
    const char* what;
    Bytes bytes;
    int error;
    std::size_t sockets = 0;
    bool complete = true;
    bool interrupted = false;
};

void outcomes(void**) {
    const auto part = socket_answer(socket_message(), {}, NLM_F_MULTI);
    const auto torn = socket_answer(socket_message(), {}, NLM_F_MULTI | NLM_F_DUMP_INTR);
    const auto foreign = message(NLMSG_ERROR, Bytes(20), 0, {addressee.sequence + 1, 4242});
    const auto other_socket = message(NLMSG_ERROR, Bytes(20), 0, {addressee.sequence, 1});
    for (const Outcome& c : {
             Outcome{"an acknowledgement", outcome(NLMSG_ERROR, 0), 0},
             Outcome{"no such socket", outcome(NLMSG_ERROR, -ENOENT), ENOENT},
             Outcome{"not permitted", outcome(NLMSG_ERROR, -EPERM), EPERM},
             Outcome{"the end of a dump", outcome(NLMSG_DONE, 0, NLM_F_MULTI), 0},
             Outcome{"a dump that failed", outcome(NLMSG_DONE, -ENOMEM, NLM_F_MULTI), ENOMEM},
             Outcome{"part of a dump", part + part, 0, 2, false},
             Outcome{"its last part", part + outcome(NLMSG_DONE, 0, NLM_F_MULTI), 0, 1},
             Outcome{"a torn dump", torn, 0, 1, false, true},
             Outcome{"torn, said at its end", outcome(NLMSG_DONE, 0, NLM_F_DUMP_INTR), 0, 0, true,
                     true},
             Outcome{"nothing", {}, 0, 0, false},
             Outcome{"of another request", foreign, 0, 0, false},
             Outcome{"of another netlink socket", other_socket, 0, 0, false},
             Outcome{"after another's", foreign + part, 0, 1, false},
             Outcome{"no operation", message(NLMSG_NOOP, {}), 0, 0, false},
         }) {
        print_message("# %s\n", c.what);
        const auto reply = parsed(c.bytes);
        assert_int_equal(reply.error, c.error);
        assert_int_equal(reply.sockets.size(), c.sockets);
        assert_int_equal(reply.complete, c.complete);
        assert_int_equal(reply.interrupted, c.interrupted);
    }
}

struct Hostile {
    const char* what;
    Bytes bytes;
};

/// `bytes` with the 32-bit value at `offset` replaced.
template <typename T>
Bytes with(Bytes bytes, std::size_t offset, T value) {
    std::memcpy(&bytes.at(offset), &value, sizeof value);
    return bytes;
}

void hostile_messages_are_refused(void**) {
    const auto good = socket_answer(socket_message(), info_attribute(full_info()));
    constexpr std::size_t attribute_at = sizeof(nlmsghdr) + sizeof(inet_diag_msg);
    auto no_family = socket_message();
    no_family.idiag_family = AF_UNIX;
    for (const Hostile& c : {
             Hostile{"a header cut short", Bytes(good.begin(), good.begin() + 15)},
             Hostile{"a length of 0", with(good, 0, __u32{0})},
             Hostile{"a length below the header's", with(good, 0, __u32{15})},
             Hostile{"a length beyond the end", with(good, 0, __u32(good.size() + 1))},
             Hostile{"a length that is negative", with(good, 0, ~__u32{0})},
             Hostile{"no socket in it", message(SOCK_DIAG_BY_FAMILY, {})},
             Hostile{"a socket cut short",
                     message(SOCK_DIAG_BY_FAMILY, Bytes(sizeof(inet_diag_msg) - 1))},
             Hostile{"another family", socket_answer(no_family)},
             Hostile{"an attribute of length 0", with(good, attribute_at, __u16{0})},
             Hostile{"one below its header's", with(good, attribute_at, __u16{3})},
             Hostile{"one beyond the message", with(good, attribute_at, __u16{0xffff})},
             Hostile{"one of two bytes", socket_answer(socket_message(), Bytes(2))},
             Hostile{"an outcome cut short", message(NLMSG_ERROR, Bytes(2))},
             Hostile{"an end cut short", message(NLMSG_DONE, {})},
             Hostile{"an outcome above 0", outcome(NLMSG_ERROR, 2)},
             Hostile{"an outcome without a positive", outcome(NLMSG_ERROR, INT_MIN)},
             Hostile{"messages that were lost", message(NLMSG_OVERRUN, {})},
             Hostile{"another type", message(99, {})},
             Hostile{"a good one, then rubbish", good + Bytes(8, std::byte{1})},
         }) {
        print_message("# %s\n", c.what);
        assert_false(parse(c.bytes).has_value());
    }
}

/// Whatever is cut off, the answer is refused, unless it ends between two messages.
void every_truncation(void**) {
    const auto one = socket_answer(socket_message(), info_attribute(full_info()), NLM_F_MULTI);
    const auto two = one + one;
    for (std::size_t size = 0; size <= two.size(); ++size) {
        const auto reply = parse(Bytes(two.begin(), two.begin() + static_cast<long>(size)));
        const bool whole = size % one.size() == 0;
        assert_int_equal(reply.has_value(), whole);
        if (whole)
            assert_int_equal(reply->sockets.size(), size / one.size());
    }
}

/// Nothing to assert but that it ends, and that a sanitizer is content.
void random_damage(void**) {
    std::mt19937 random(5);
    const auto good = socket_answer(socket_message(AF_INET6), info_attribute(full_info())) +
                      outcome(NLMSG_DONE, 0, NLM_F_MULTI);
    for (int round = 0; round < 20'000; ++round) {
        auto bytes = good;
        for (auto damages = 1 + random() % 4; damages > 0; --damages)
            bytes[random() % bytes.size()] = static_cast<std::byte>(random());
        const auto reply = parse(bytes);
        assert_true(!reply || reply->sockets.size() <= 1);
    }
}

} // namespace

TEST_GROUP(diag_reply) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_is_read_in_full),
        cmocka_unit_test(addresses_of_every_family),
        cmocka_unit_test(states_and_timers_unknown_here),
        cmocka_unit_test(facts_that_were_given),
        cmocka_unit_test(facts_of_older_and_newer_kernels),
        cmocka_unit_test(attributes_around_the_facts),
        cmocka_unit_test(outcomes),
        cmocka_unit_test(hostile_messages_are_refused),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests_name("diag_reply", tests, nullptr, nullptr);
}

} // namespace test_diag_reply

// SPDX-License-Identifier: Apache-2.0
// daemon/netlink/request: byte by byte what the kernel reads, and keys that must never be sent.
#include <array>

#include "daemon/netlink/request.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/diag_messages.h"

namespace test_diag_request {

namespace {

using namespace ballast;
using namespace ballast::test;
using netlink::Message;

FlowKey key(const char* local, const char* remote, std::uint64_t cookie = 0x1'0000'0002) {
    return {*parse_endpoint(local), *parse_endpoint(remote), cookie, 3};
}

template <typename T>
T at(const Message& message, std::size_t offset) {
    T value;
    if (offset + sizeof value > message.size())
        fail_msg("a message of %zu bytes has nothing at %zu", message.size(), offset);
    std::memcpy(&value, &message[offset], sizeof value);
    return value;
}

nlmsghdr header_of(const Message& message) {
    return at<nlmsghdr>(message, 0);
}

inet_diag_req_v2 request_of(const Message& message) {
    return at<inet_diag_req_v2>(message, sizeof(nlmsghdr));
}

void check_words(const __be32 (&words)[4], std::array<std::uint32_t, 4> wanted) {
    for (std::size_t i = 0; i < wanted.size(); ++i)
        assert_int_equal(ntohl(words[i]), wanted[i]);
}

void one_socket_of_ipv4(void**) {
    const auto message = netlink::find_request(key("10.0.0.1:40000", "10.0.0.5:5432"), 77);
    assert_int_equal(message.size(), sizeof(nlmsghdr) + sizeof(inet_diag_req_v2));
    const auto header = header_of(message);
    assert_int_equal(header.nlmsg_len, message.size());
    assert_int_equal(header.nlmsg_type, SOCK_DIAG_BY_FAMILY);
    assert_int_equal(header.nlmsg_flags,
                     NLM_F_REQUEST); // an acknowledgement would be a second reply
    assert_int_equal(header.nlmsg_seq, 77);
    const auto request = request_of(message);
    assert_int_equal(request.sdiag_family, AF_INET);
    assert_int_equal(request.sdiag_protocol, IPPROTO_TCP);
    assert_int_equal(request.idiag_ext, 1 << (INET_DIAG_INFO - 1));
    assert_int_equal(ntohs(request.id.idiag_sport), 40000);
    assert_int_equal(ntohs(request.id.idiag_dport), 5432);
    check_words(request.id.idiag_src, {0x0a000001, 0, 0, 0});
    check_words(request.id.idiag_dst, {0x0a000005, 0, 0, 0});
    assert_int_equal(request.id.idiag_if, 3);
    assert_int_equal(request.id.idiag_cookie[0], 2);
    assert_int_equal(request.id.idiag_cookie[1], 1);
}

void one_socket_of_ipv6(void**) {
    const auto request =
        request_of(netlink::find_request(key("[2001:db8::1]:40000", "[2001:db8::5]:5432"), 1));
    assert_int_equal(request.sdiag_family, AF_INET6);
    check_words(request.id.idiag_src, {0x20010db8, 0, 0, 1});
    check_words(request.id.idiag_dst, {0x20010db8, 0, 0, 5});
}

void destruction_wants_an_outcome(void**) {
    const auto one = key("10.0.0.1:40000", "10.0.0.5:5432");
    const auto message = netlink::destroy_request(one, 78);
    const auto header = header_of(message);
    assert_int_equal(header.nlmsg_type, SOCK_DESTROY);
    assert_int_equal(header.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
    assert_int_equal(header.nlmsg_seq, 78);
    const auto wanted = request_of(netlink::find_request(one, 1));
    const auto request = request_of(message);
    assert_memory_equal(&request, &wanted, sizeof request);
}

void keys_that_are_never_sent(void**) {
    struct Case {
        const char* what;
        FlowKey key;
        bool usable;
    };
    const auto* const v4 = "10.0.0.5:5432";
    const auto* const v6 = "[2001:db8::5]:5432";
    for (const Case& c : {
             Case{"a good one", key(v4, v4, 1), true},
             Case{"of IPv6", key(v6, v6, 1), true},
             Case{"no cookie", key(v4, v4, 0), false},
             Case{"the cookie that fits any socket", key(v4, v4, ~0ULL), false},
             Case{"half of it", key(v4, v4, 0xffff'ffff), true},
             Case{"two IP versions", key(v4, v6, 1), false},
             Case{"two others", key(v6, v4, 1), false},
         }) {
        print_message("# %s\n", c.what);
        assert_int_equal(netlink::check_key(c.key).has_value(), c.usable);
    }
}

/// The program: one condition on the peer, which jumps past the end when it does not hold.
struct Condition {
    std::uint8_t code, yes;
    std::uint16_t no;
    std::uint8_t family, prefix_length;
    std::int32_t port;
};

Condition condition_of(const Message& message, std::size_t at_offset) {
    const auto op = at<inet_diag_bc_op>(message, at_offset);
    const auto family = at<std::uint8_t>(message, at_offset + sizeof op);
    const auto length = at<std::uint8_t>(message, at_offset + sizeof op + 1);
    return {op.code, op.yes, op.no,
            family,  length, at<std::int32_t>(message, at_offset + sizeof op + 4)};
}

void a_dump_names_its_peer(void**) {
    struct Case {
        std::uint8_t family;
        const char* address;
        std::uint16_t port;
        std::int32_t wanted_port;
        std::uint8_t wanted_family, bytes;
    };
    for (const Case& c : {
             Case{AF_INET, "10.0.0.5", 5432, 5432, AF_INET, 4},
             Case{AF_INET, "10.0.0.5", 65535, 65535, AF_INET, 4},
             Case{AF_INET, "10.0.0.5", 0, -1, AF_INET, 4},
             Case{AF_INET6, "10.0.0.5", 5432, 5432, AF_INET, 4}, // v4-mapped
             Case{AF_INET6, "2001:db8::5", 5432, 5432, AF_INET6, 16},
         }) {
        const auto address = *parse_address(c.address);
        const auto message = netlink::flows_request(c.family, address, c.port, 9);
        assert_int_equal(header_of(message).nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
        assert_int_equal(header_of(message).nlmsg_len, message.size());
        const auto request = request_of(message);
        assert_int_equal(request.sdiag_family, c.family);
        assert_int_equal(request.idiag_states,
                         0b1011'0011'0010); // no SYN_*, no TIME_WAIT, no LISTEN
        const std::size_t attribute_at = sizeof(nlmsghdr) + sizeof(inet_diag_req_v2);
        const auto attribute = at<nlattr>(message, attribute_at);
        const auto size = static_cast<std::uint8_t>(12 + c.bytes);
        assert_int_equal(attribute.nla_type, INET_DIAG_REQ_BYTECODE);
        assert_int_equal(attribute.nla_len, sizeof attribute + size);
        const std::size_t program_at = attribute_at + sizeof attribute;
        const auto condition = condition_of(message, program_at);
        assert_int_equal(condition.code, INET_DIAG_BC_D_COND);
        assert_int_equal(condition.yes, size);
        assert_int_equal(condition.no, size + 4);
        assert_int_equal(condition.family, c.wanted_family);
        assert_int_equal(condition.prefix_length, 8 * c.bytes);
        assert_int_equal(condition.port, c.wanted_port);
        assert_int_equal(message.size(), program_at + size);
        assert_memory_equal(&message[program_at + 12], &address.bytes[16U - c.bytes], c.bytes);
    }
}

void nothing_is_asked_of_no_state(void**) {
    const auto message = netlink::nothing_request(5);
    assert_int_equal(header_of(message).nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
    assert_int_equal(request_of(message).idiag_states, 0);
    assert_int_equal(request_of(message).sdiag_protocol, IPPROTO_TCP);
}

} // namespace

TEST_GROUP(diag_request) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(one_socket_of_ipv4),
        cmocka_unit_test(one_socket_of_ipv6),
        cmocka_unit_test(destruction_wants_an_outcome),
        cmocka_unit_test(keys_that_are_never_sent),
        cmocka_unit_test(a_dump_names_its_peer),
        cmocka_unit_test(nothing_is_asked_of_no_state),
    };
    return cmocka_run_group_tests_name("diag_request", tests, nullptr, nullptr);
}

} // namespace test_diag_request

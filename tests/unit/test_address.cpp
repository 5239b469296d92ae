// SPDX-License-Identifier: Apache-2.0
// daemon/util/address: what is accepted, how it is written back, what contains what.
#include <array>
#include <string>

#include "daemon/util/address.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_address {

namespace {

using namespace ballast;

/// Input and the canonical text; an empty `canonical` means refused, with `message` in the error.
struct Case {
    std::string_view input;
    const char* canonical;
    const char* message = "";
};

template <typename T, std::size_t N>
void check(const std::array<Case, N>& cases, Result<T> (*parse)(std::string_view)) {
    for (const Case& c : cases) {
        const auto parsed = parse(c.input);
        const std::string got = parsed ? parsed->text() : "";
        assert_string_equal(got.c_str(), c.canonical);
        if (!parsed && parsed.error().text().find(c.message) == std::string::npos)
            assert_string_equal(parsed.error().text().c_str(), c.message);
    }
}

void addresses(void**) {
    check<Address>(
        std::array{
            Case{"10.0.0.5", "10.0.0.5"},
            Case{"0.0.0.0", "0.0.0.0"},
            Case{"255.255.255.255", "255.255.255.255"},
            Case{"::", "::"},
            Case{"::1", "::1"},
            Case{"2001:DB8:0:0:0:0:0:5", "2001:db8::5"},
            Case{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
            Case{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
            Case{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
            Case{"::ffff:10.0.0.5", "10.0.0.5"},
            Case{"::ffff:a00:5", "10.0.0.5"},
            Case{"", "", "\"\" is not an IPv4 or IPv6 address"},
            Case{"10.0.0", "", "not an IPv4"},
            Case{"10.0.0.256", "", "not an IPv4"},
            Case{"10.0.0.05", "", "not an IPv4"},
            Case{"010.0.0.5", "", "not an IPv4"},
            Case{" 10.0.0.5", "", "not an IPv4"},
            Case{"10.0.0.5 ", "", "not an IPv4"},
            Case{"0x0a.0.0.5", "", "not an IPv4"},
            Case{"fe80::1%eth0", "", "not an IPv4"},
            Case{"[::1]", "", "not an IPv4"},
            Case{"1::2::3", "", "not an IPv4"},
            Case{"2001:db8:0:0:0:0:0:0:5", "", "not an IPv4"},
            Case{"localhost", "", "not an IPv4"},
            Case{{"10.0.0.5\0x", 10}, "", "\"10.0.0.5\\x00x\""},
            Case{"1111:2222:3333:4444:5555:6666:255.255.255.2555", "", "not an IPv4"},
        },
        parse_address);
}

void v4_is_mapped(void**) {
    const Address address = *parse_address("10.1.2.3");
    const std::array<std::uint8_t, 16> wanted{0, 0, 0,    0,    0,  0, 0, 0,
                                              0, 0, 0xff, 0xff, 10, 1, 2, 3};
    assert_memory_equal(address.bytes.data(), wanted.data(), wanted.size());
    assert_true(address.is_v4());
    assert_false(parse_address("::1.2.3.4")->is_v4());
    assert_false(parse_address("64:ff9b::1.2.3.4")->is_v4());
}

void prefixes(void**) {
    check<Prefix>(
        std::array{
            Case{"10.0.0.0/8", "10.0.0.0/8"},
            Case{"10.0.0.5", "10.0.0.5"},
            Case{"10.0.0.5/32", "10.0.0.5"},
            Case{"0.0.0.0/0", "0.0.0.0/0"},
            Case{"::/0", "::/0"},
            Case{"2001:db8::/32", "2001:db8::/32"},
            Case{"2001:db8::5/128", "2001:db8::5"},
            Case{"::ffff:10.0.0.0/104", "10.0.0.0/8"},
            Case{"::ffff:0:0/96", "0.0.0.0/0"},
            Case{"10.0.0.5/8", "", "host bits set; wanted 10.0.0.0/8 or 10.0.0.5"},
            Case{"10.0.0.1/31", "", "host bits set; wanted 10.0.0.0/31"},
            Case{"2001:db8::5/32", "", "host bits set; wanted 2001:db8::/32 or 2001:db8::5"},
            Case{"::ffff:10.0.0.0/80", "", "host bits set"},
            Case{"10.0.0.0/33", "", "no prefix length in 0..32"},
            Case{"2001:db8::/129", "", "no prefix length in 0..128"},
            Case{"10.0.0.0/", "", "no prefix length in 0..32"},
            Case{"10.0.0.0/08", "", "no prefix length"},
            Case{"10.0.0.0/-1", "", "no prefix length"},
            Case{"10.0.0.0/+8", "", "no prefix length"},
            Case{"10.0.0.0/8 ", "", "no prefix length"},
            Case{"10.0.0.0/8/8", "", "no prefix length"},
            Case{"10.0.0.0/4294967304", "", "no prefix length"},
            Case{"/8", "", "\"\" is not an IPv4 or IPv6 address"},
        },
        parse_prefix);
    assert_int_equal(parse_prefix("10.0.0.0/8")->length, 104);
}

void endpoints(void**) {
    check<Endpoint>(
        std::array{
            Case{"10.0.0.5:5432", "10.0.0.5:5432"},
            Case{"10.0.0.5:1", "10.0.0.5:1"},
            Case{"[2001:DB8::5]:65535", "[2001:db8::5]:65535"},
            Case{"[::ffff:10.0.0.5]:80", "10.0.0.5:80"},
            Case{"10.0.0.5", "", "not ADDRESS:PORT"},
            Case{"10.0.0.5:", "", "\"\" is not a port; wanted 1..65535"},
            Case{"10.0.0.5:0", "", "\"0\" is not a port"},
            Case{"10.0.0.5:65536", "", "\"65536\" is not a port"},
            Case{"10.0.0.5:080", "", "\"080\" is not a port"},
            Case{"10.0.0.5:80-90", "", "\"80-90\" is not a port"},
            Case{"10.0.0.5:http", "", "\"http\" is not a port"},
            Case{"2001:db8::5:443", "", "not ADDRESS:PORT or [ADDRESS]:PORT"},
            Case{"[2001:db8::5]", "", "not ADDRESS:PORT"},
            Case{"[10.0.0.5]:80", "", "not ADDRESS:PORT"},
            Case{"[2001:db8::/32]:80", "", "not an IPv4 or IPv6"},
            Case{"10.0.0.0/8:80", "", "not an IPv4 or IPv6"},
            Case{"]:80", "", "not an IPv4"},
            Case{":80", "", "not an IPv4"},
            Case{"", "", "not ADDRESS:PORT"},
        },
        parse_endpoint);
}

void contains(void**) {
    struct Row {
        const char* prefix;
        const char* address;
        bool inside;
    };
    for (const Row& row : std::array{
             Row{"10.0.0.0/8", "10.255.0.1", true},
             Row{"10.0.0.0/8", "11.0.0.1", false},
             Row{"10.0.0.0/9", "10.128.0.0", false},
             Row{"10.0.0.0/9", "10.127.255.255", true},
             Row{"10.0.0.5", "10.0.0.5", true},
             Row{"10.0.0.5", "10.0.0.4", false},
             Row{"0.0.0.0/0", "255.1.2.3", true},
             Row{"0.0.0.0/0", "2001:db8::1", false},
             Row{"::/0", "10.0.0.5", true},
             Row{"2001:db8::/33", "2001:db8:7fff::", true},
             Row{"2001:db8::/33", "2001:db8:8000::", false},
         }) {
        print_message("# %s in %s\n", row.address, row.prefix);
        assert_int_equal(parse_prefix(row.prefix)->contains(*parse_address(row.address)),
                         row.inside);
    }
}

} // namespace

TEST_GROUP(address) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(addresses), cmocka_unit_test(v4_is_mapped), cmocka_unit_test(prefixes),
        cmocka_unit_test(endpoints), cmocka_unit_test(contains),
    };
    return cmocka_run_group_tests_name("address", tests, nullptr, nullptr);
}

} // namespace test_address

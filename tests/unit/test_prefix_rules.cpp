// SPDX-License-Identifier: Apache-2.0
// daemon/model/prefix_rules: one lookup of the longest prefix must answer as the matching order of
// docs/configuration.md says, for every port.
#include <array>
#include <random>
#include <string>

#include "daemon/model/prefix_rules.h"
#include "tests/harness/cmocka.hpp"

namespace {

using namespace ballast;

Policy policy_of(const std::vector<std::vector<const char*>>& services) {
    Policy policy;
    for (const auto& targets : services) {
        Service service;
        service.name = fmt::format("s{}", policy.services.size() + 1);
        for (const char* text : targets)
            service.to.push_back(*parse_target(text));
        policy.services.push_back(service);
    }
    return policy;
}

/// "10.0.0.5: 0=0 80=1 81=0; ..." with PORT=SERVICE for each span.
std::string shown(const std::vector<PrefixRule>& rules) {
    std::string out;
    for (const PrefixRule& rule : rules) {
        out += (out.empty() ? "" : "; ") + rule.prefix.text() + ":";
        for (const PortSpan& span : rule.spans)
            out += fmt::format(" {}={}", span.first, span.service);
    }
    return out;
}

void tables(void**) {
    struct Case {
        const char* what;
        std::vector<std::vector<const char*>> services;
        const char* wanted;
    };
    for (const Case& c : std::array{
             Case{"nothing", {}, ""},
             Case{"a service without targets", {{}}, ""},
             Case{"one port", {{"10.0.0.5:5432"}}, "10.0.0.5: 0=0 5432=1 5433=0"},
             Case{"any port", {{"10.0.0.0/8"}}, "10.0.0.0/8: 0=1"},
             Case{"the last port", {{"10.0.0.5:65535"}}, "10.0.0.5: 0=0 65535=1"},
             Case{"all nameable ports", {{"10.0.0.5:1-65535"}}, "10.0.0.5: 0=0 1=1"},
             Case{"range before any-port, whatever their order",
                  {{"10.0.0.5:80"}, {"10.0.0.5"}},
                  "10.0.0.5: 0=2 80=1 81=2"},
             Case{"neighbours of one service are one span",
                  {{"10.0.0.5:80", "10.0.0.5:81-90"}},
                  "10.0.0.5: 0=0 80=1 91=0"},
             Case{"neighbours of two services are two",
                  {{"10.0.0.5:80"}, {"10.0.0.5:81"}},
                  "10.0.0.5: 0=0 80=1 81=2 82=0"},
             Case{"a longer prefix takes over what it does not name",
                  {{"10.0.0.0/8:443", "10.0.0.0/8:80"}, {"10.0.0.5:80"}},
                  "10.0.0.0/8: 0=0 80=1 81=0 443=1 444=0; 10.0.0.5: 0=0 80=2 81=0 443=1 444=0"},
             Case{"any-port of a longer prefix hides ranges of a shorter one",
                  {{"10.0.0.0/8:80"}, {"10.1.0.0/16"}},
                  "10.0.0.0/8: 0=0 80=1 81=0; 10.1.0.0/16: 0=2"},
             Case{"siblings lend each other nothing",
                  {{"10.1.0.0/16"}, {"10.2.0.0/16:80"}, {"10.0.0.0/8:90"}},
                  "10.0.0.0/8: 0=0 90=3 91=0; 10.1.0.0/16: 0=1; "
                  "10.2.0.0/16: 0=0 80=2 81=0 90=3 91=0"},
             Case{"::/0 reaches into IPv4",
                  {{"::/0"}, {"10.0.0.5:80"}},
                  "::/0: 0=1; 10.0.0.5: 0=1 80=2 81=1"},
         }) {
        print_message("# %s\n", c.what);
        assert_string_equal(shown(prefix_rules(policy_of(c.services))).c_str(), c.wanted);
    }
}

/// The matching order said the slow way: longest prefix with that port, range before any-port.
std::uint16_t governing(const Policy& policy, const Address& address, std::uint16_t port) {
    int best = -1;
    std::uint16_t service = 0;
    for (std::size_t i = 0; i < policy.services.size(); ++i)
        for (const Target& t : policy.services[i].to) {
            const int rank = 2 * t.prefix.length + (t.any_port() ? 0 : 1);
            const bool matches =
                t.prefix.contains(address) && t.port_first <= port && port <= t.port_last;
            if (matches && rank > best) {
                best = rank;
                service = static_cast<std::uint16_t>(i + 1);
            }
        }
    return service;
}

std::uint16_t looked_up(const std::vector<PortSpan>& spans, std::uint16_t port) {
    std::uint16_t service = 0;
    for (const PortSpan& span : spans)
        if (span.first <= port)
            service = span.service;
    return service;
}

const PrefixRule* longest(const std::vector<PrefixRule>& rules, const Address& address) {
    const PrefixRule* best = nullptr;
    for (const PrefixRule& rule : rules)
        if (rule.prefix.contains(address) &&
            (best == nullptr || rule.prefix.length > best->prefix.length))
            best = &rule;
    return best;
}

/// Random targets around few addresses and ports, one service for each target; a range that would
/// collide with an earlier one of its prefix is left out, as the configuration refuses it.
Policy random_policy(std::minstd_rand& random) {
    Policy policy;
    for (int i = 0; i < 24; ++i) {
        const auto length = static_cast<unsigned>(random() % 6);
        Prefix prefix = *parse_prefix("10.0.0.0/27");
        prefix.length = static_cast<std::uint8_t>(123 + length);
        prefix.address.bytes[15] =
            static_cast<std::uint8_t>((random() % 32) & (0xffU << (5 - length)));
        Target target{prefix};
        if (random() % 3 != 0) {
            target.port_first = static_cast<std::uint16_t>(1 + random() % 20);
            target.port_last = static_cast<std::uint16_t>(target.port_first + random() % 5);
        }
        bool free = true;
        for (const Service& other : policy.services) {
            const Target& t = other.to.front();
            free = free && (t.prefix != prefix || t.any_port() != target.any_port() ||
                            t.port_last < target.port_first || target.port_last < t.port_first);
        }
        if (free) {
            policy.services.push_back({});
            policy.services.back().to = {target};
        }
    }
    return policy;
}

void agrees_with_the_matching_order(void**) {
    std::minstd_rand random(7);
    for (int round = 0; round < 200; ++round) {
        const Policy policy = random_policy(random);
        const auto rules = prefix_rules(policy);
        Address address = *parse_address("10.0.0.0");
        for (std::uint8_t host = 0; host < 32; ++host) {
            address.bytes[15] = host;
            const PrefixRule* rule = longest(rules, address);
            const auto here = port_spans(policy, {address, 128});
            for (std::uint16_t port = 0; port < 30; ++port) {
                const std::uint16_t wanted = governing(policy, address, port);
                assert_int_equal(rule == nullptr ? 0 : looked_up(rule->spans, port), wanted);
                assert_int_equal(looked_up(here, port), wanted);
            }
        }
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {cmocka_unit_test(tables),
                                cmocka_unit_test(agrees_with_the_matching_order)};
    return cmocka_run_group_tests_name("prefix_rules", tests, nullptr, nullptr);
}

// SPDX-License-Identifier: Apache-2.0
// Each socket of a sweep is told once, however often it is met; what namespaces have is counted.
#include <string>
#include <vector>

#include "daemon/kernel/sockets_met.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_sockets_met {

namespace {

using ballast::kernel::SocketsMet;
using Cookies = std::vector<std::uint64_t>;

constexpr std::uint8_t established = 1;
constexpr std::uint8_t listening = 10;
constexpr std::uint32_t here = 4026531833;

ballast_flow flow_of(std::uint64_t cookie, std::uint8_t state = established, bool retune = false,
                     std::uint32_t netns = here) {
    ballast_flow flow{};
    flow.cookie = cookie;
    flow.state = state;
    flow.retune = retune;
    flow.netns = netns;
    return flow;
}

template <typename Flows>
std::string text(const Flows& flows) {
    std::string text;
    for (const auto& flow : flows)
        text += std::to_string(flow.cookie) + " ";
    return text;
}

/// What is told of one batch.
std::string files(SocketsMet& met, std::vector<ballast_flow> batch) {
    return text(met.from_files(batch));
}
std::string visit(SocketsMet& met, std::vector<ballast_flow> batch) {
    return text(met.from_visit(batch));
}

/// Two processes have it open, in one batch or in two.
void a_file_met_twice_is_told_once(void**) {
    SocketsMet met;
    assert_string_equal(files(met, {flow_of(1), flow_of(2), flow_of(1)}).c_str(), "1 2 ");
    assert_string_equal(files(met, {flow_of(3), flow_of(2)}).c_str(), "3 ");
    assert_int_equal(met.in(here).sockets, 3);
}

void a_visit_tells_what_has_no_file(void**) {
    SocketsMet met;
    files(met, {flow_of(1), flow_of(2)});
    assert_string_equal(
        visit(met, {flow_of(0), flow_of(2), flow_of(3), flow_of(0), flow_of(3)}).c_str(), "0 3 0 ");
    assert_int_equal(met.in(here).sockets, 2);
}

void listeners_are_counted_and_not_told(void**) {
    SocketsMet met;
    assert_string_equal(
        files(met, {flow_of(1, listening), flow_of(2), flow_of(1, listening)}).c_str(), "2 ");
    assert_int_equal(met.in(here).sockets, 2);
}

void what_is_to_be_tuned_waits_for_its_visit(void**) {
    SocketsMet met;
    assert_string_equal(files(met, {flow_of(1, established, true), flow_of(2, established, true),
                                    flow_of(1, established, true), flow_of(3)})
                            .c_str(),
                        "3 ");
    assert_true(met.in(here).is_untuned);
    assert_int_equal(met.in(here).sockets, 3);
    assert_string_equal(visit(met, {flow_of(1), flow_of(3)}).c_str(), "1 ");
    assert_string_equal(text(met.waited()).c_str(), "2 ");
    assert_string_equal(text(met.waited()).c_str(), "");
}

void namespaces_are_told_apart(void**) {
    SocketsMet met;
    files(met, {flow_of(1), flow_of(2, established, true, here + 1), flow_of(3)});
    assert_int_equal(met.in(here).sockets, 2);
    assert_false(met.in(here).is_untuned);
    assert_int_equal(met.in(here + 1).sockets, 1);
    assert_true(met.in(here + 1).is_untuned);
    assert_int_equal(met.in(here + 2).sockets, 0);
}

void a_new_sweep_meets_all_anew(void**) {
    SocketsMet met;
    files(met, {flow_of(1), flow_of(2, established, true)});
    met.begin();
    assert_string_equal(files(met, {flow_of(1), flow_of(2)}).c_str(), "1 2 ");
    assert_string_equal(text(met.waited()).c_str(), "");
}

void both_tables_are_bounded(void**) {
    SocketsMet met;
    for (std::uint64_t cookie = 1; cookie <= SocketsMet::most_waiting; ++cookie)
        assert_string_equal(files(met, {flow_of(cookie, established, true)}).c_str(), "");
    const std::uint64_t next = SocketsMet::most_waiting + 1;
    assert_string_equal(files(met, {flow_of(next, established, true)}).c_str(),
                        (std::to_string(next) + " ").c_str());
    for (std::uint64_t cookie = next + 1; cookie < next + SocketsMet::most; ++cookie)
        files(met, {flow_of(cookie)});
    assert_int_equal(met.not_told_apart(), 0);
    const std::uint64_t beyond = next + SocketsMet::most;
    for (int i = 1; i <= 2; ++i) {
        assert_string_equal(files(met, {flow_of(beyond), flow_of(next)}).c_str(),
                            (std::to_string(beyond) + " ").c_str());
        assert_int_equal(met.not_told_apart(), i);
    }
}

} // namespace

TEST_GROUP(sockets_met) {
    const CMUnitTest tests[] = {cmocka_unit_test(a_file_met_twice_is_told_once),
                                cmocka_unit_test(a_visit_tells_what_has_no_file),
                                cmocka_unit_test(listeners_are_counted_and_not_told),
                                cmocka_unit_test(what_is_to_be_tuned_waits_for_its_visit),
                                cmocka_unit_test(namespaces_are_told_apart),
                                cmocka_unit_test(a_new_sweep_meets_all_anew),
                                cmocka_unit_test(both_tables_are_bounded)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_sockets_met

// SPDX-License-Identifier: Apache-2.0
// What `ballast discover` does before and while it measures, as far as that takes no connection.
#include "cli/discover/allowance.h"
#include "cli/discover/progress.h"
#include "cli/discover/target.h"

#include <algorithm>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_discover_cli {

namespace {

using namespace ballast;
using namespace ballast::cli;
using discovery::Gap;

void is_text(const std::string& got, const char* wanted) {
    assert_string_equal(got.c_str(), wanted);
}

void targets_are_read(void**) {
    for (const auto& [text, host] : {std::pair{"db.internal:5432", "db.internal"},
                                     {"10.0.0.5:5432", "10.0.0.5"},
                                     {"[2001:db8::5]:5432", "2001:db8::5"}}) {
        const auto target = parse_target(text);
        assert_true(target.has_value());
        is_text(target->host, host);
        assert_int_equal(target->port, 5432);
    }
}

void other_targets_are_refused(void**) {
    for (const char* text : {"", "db.internal", ":5432", "[]:1", "2001:db8::5:5432", "db:", "db:0",
                             "db:65536", "db:http", "[::1]"})
        assert_false(parse_target(text).has_value());
    is_text(parse_target("db").error().text(),
            "'db' is not HOST:PORT (as in db.internal:5432, 10.0.0.5:5432 or [2001:db8::5]:5432)");
}

void addresses_are_resolved(void**) {
    for (const auto& [host, text] :
         {std::pair{"10.0.0.5", "10.0.0.5:80"}, {"2001:db8::5", "[2001:db8::5]:80"}}) {
        const auto peers = resolve({host, 80});
        assert_true(peers.has_value());
        assert_int_equal(peers->size(), 1);
        is_text(peers->front().endpoint.text(), text);
    }
    const auto local = resolve({"localhost", 80});
    assert_true(local && std::any_of(local->begin(), local->end(), [](const Peer& peer) {
                    return peer.endpoint.text() == "127.0.0.1:80" ||
                           peer.endpoint.text() == "[::1]:80";
                }));
    const auto nobody = resolve({"no-such-host.invalid", 80});
    assert_false(nobody.has_value());
    assert_true(nobody.error().message().starts_with("looking up no-such-host.invalid: "));
}

Outcome<Allowance> allowed(std::size_t most, std::size_t in_use, std::size_t wanted = 12) {
    return allow({"db", "max_connections", most, in_use}, *parse_endpoint("10.0.0.5:5432"), wanted);
}

/// Half of what is free, two at least, and nothing where even that is not free.
void half_of_the_places_are_taken(void**) {
    struct Row {
        std::size_t most, in_use, connections;
    };
    for (const Row& row : {Row{100, 0, 12}, Row{100, 76, 12}, Row{100, 77, 11}, Row{10, 5, 2},
                           Row{10, 8, 2}, Row{10, 9, 0}, Row{10, 10, 0}, Row{10, 64, 0}}) {
        const auto got = allowed(row.most, row.in_use);
        assert_int_equal(got ? got->connections : 0, row.connections);
        assert_true(!got || got->note.empty() == (row.connections == 12));
    }
    assert_int_equal(allowed(100, 50, 2)->connections, 2);
    assert_int_equal(allow({"db", "", 0, 0}, *parse_endpoint("10.0.0.5:5432"), 12)->connections,
                     12);
}

void a_missing_daemon_is_said(void**) {
    const auto got = ask_allowance(Client("/nonexistent/run"), *parse_endpoint("10.0.0.5:5432"), 7);
    assert_true(got.has_value());
    assert_int_equal(got->connections, 7);
    assert_true(got->note.starts_with("no limit is known: ballastd is not running"));
}

void progress_is_told(void**) {
    Session::Progress progress;
    progress.elapsed = Gap(1'250);
    progress.open = 1;
    is_text(progress_text(progress), "1.2s: nothing known yet; 1 connection open");
    progress.findings.survived = Gap(4'542);
    progress.next_probe = Gap(350);
    progress.open = 11;
    is_text(progress_text(progress),
            "1.2s: survived 4.5s; 11 connections open, next probe in 350ms");
    progress.findings.died = Gap(5'190);
    is_text(progress_text(progress),
            "1.2s: survived 4.5s, lost after 5.1s; 11 connections open, next probe in 350ms");
}

} // namespace

TEST_GROUP(discover_cli) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_read),         cmocka_unit_test(other_targets_are_refused),
        cmocka_unit_test(addresses_are_resolved),   cmocka_unit_test(half_of_the_places_are_taken),
        cmocka_unit_test(a_missing_daemon_is_said), cmocka_unit_test(progress_is_told)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_discover_cli

// SPDX-License-Identifier: Apache-2.0
// daemon/store/finding_store: what was found comes back whole, is forgotten in time, and is found
// again by what somebody asks for.
#include "daemon/store/finding_store.h"

#include <limits>
#include <string>

#include "daemon/store/store.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/temporary_directory.h"

namespace test_finding_store {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using findings::Reason;
using test::directory;

constexpr auto all = std::numeric_limits<std::uint64_t>::max();
const WallTime now_{1'714'539'600s};

std::filesystem::path file() {
    return directory / "state.db";
}

FindingStore opened(const FindingStore::Bounds& bounds = {}) {
    assert_true(Store::open(file()).has_value());
    auto store = FindingStore::open(file(), bounds);
    assert_string_equal(store ? "" : store.error().text().c_str(), "");
    return std::move(*store);
}

KeptFinding row(std::uint64_t id, const char* destination = "10.0.0.5:5432") {
    KeptFinding made;
    made.id = id;
    made.at = made.last = now_ + std::chrono::seconds(id) + 5ns;
    made.what.reason = Reason::limit_refusing;
    if (*destination != '\0')
        made.what.destination = parse_endpoint(destination).value();
    made.what.evidence = "in_use=10";
    return made;
}

void put(FindingStore& store, const std::vector<KeptFinding>& rows, WallTime now = now_) {
    const auto done = store.put(rows, rows.empty() ? 0 : rows.back().id, now);
    assert_string_equal(done ? "" : done.error().text().c_str(), "");
}

std::string ids(FindingStore& store, const FindingQuery& query = {}, std::uint64_t before = all) {
    std::string text;
    const auto page = store.find(query, before).value();
    for (const auto& one : page.rows)
        text += (text.empty() ? "" : " ") + std::to_string(one.id);
    return text;
}

void assert_ids(FindingStore& store, const FindingQuery& query, const char* wanted) {
    assert_string_equal(ids(store, query).c_str(), wanted);
}

void findings_come_back_whole(void**) {
    KeptFinding full = row(2, "[2001:db8::5]:5432");
    full.last += 9s;
    full.coalesced = 7;
    full.what.reason = Reason::half_open_flow;
    full.what.kind = "silently_dropped";
    full.what.service = "o'brien \"x\"";
    full.what.netns = 4026531840;
    full.what.tcp_state = "CLOSE-WAIT";
    full.what.owner = {4'194'304, "java", "orders.service"};
    full.what.acted = false;
    full.what.evidence = "flow=10.0.0.1:1->10.0.0.5:5432, and \x01 more";
    KeptFinding spare = row(3, "");
    spare.what.acted = true;
    const std::vector<KeptFinding> wanted{row(1), full, spare};
    {
        auto store = opened();
        put(store, wanted);
    }
    auto store = opened();
    assert_true(store.find({}, all)->rows == wanted);
    assert_int_equal(store.rows(), 3);
}

void what_counts_more_is_brought_up_to_date(void**) {
    auto store = opened();
    put(store, {row(1), row(2)});
    KeptFinding more = row(1);
    more.coalesced = 4;
    more.last += 8s;
    put(store, {more, row(3)});
    assert_int_equal(store.rows(), 3);
    assert_true(store.find({.limit = 1}, 2)->rows.front() == more);
}

void the_oldest_make_room(void**) {
    auto store = opened({.age = 24h, .rows = 3});
    put(store, {row(1), row(2), row(3), row(4)});
    assert_ids(store, {}, "2 3 4");
    put(store, {row(5)});
    assert_ids(store, {}, "3 4 5");
    assert_int_equal(store.rows(), 3);
}

void what_is_too_old_is_forgotten(void**) {
    auto store = opened({.age = 24h, .rows = 100});
    KeptFinding lasting = row(1);
    lasting.last += 1h;
    put(store, {lasting, row(2), row(3)});
    put(store, {}, now_ + 24h + 2s);
    assert_ids(store, {}, "1 2 3");
    put(store, {}, now_ + 24h + 2s + 6ns);
    assert_ids(store, {}, "1 3");
    put(store, {}, now_ + 26h);
    assert_ids(store, {}, "");
    assert_int_equal(store.rows(), 0);
}

void an_id_is_not_given_again(void**) {
    {
        auto store = opened({.age = 24h});
        assert_int_equal(*store.ids_given(), 0);
        put(store, {row(7)});
        assert_true(store.put({row(8)}, 108, now_).has_value());
        assert_int_equal(*store.ids_given(), 108);
        assert_true(store.put({}, 108, now_ + 48h).has_value());
        assert_int_equal(store.rows(), 0);
    }
    assert_int_equal(*opened().ids_given(), 108);
}

void what_was_asked_for_is_found(void**) {
    auto store = opened();
    KeptFinding hook = row(5, "");
    hook.what.reason = Reason::hook_lost;
    put(store, {row(1, "10.0.0.5:5432"), row(2, "10.0.1.5:5432"), row(3, "[2001:db8::5]:5432"),
                row(4, "10.0.0.5:80"), hook});
    const auto in = [](const char* prefix) { return parse_prefix(prefix).value(); };
    assert_ids(store, {}, "1 2 3 4 5");
    assert_ids(store, {.destination = in("10.0.0.5")}, "1 4");
    assert_ids(store, {.destination = in("10.0.0.5"), .port = std::uint16_t{80}}, "4");
    assert_ids(store, {.destination = in("10.0.0.0/24")}, "1 4");
    assert_ids(store, {.destination = in("10.0.0.0/23")}, "1 2 4");
    assert_ids(store, {.destination = in("0.0.0.0/0")}, "1 2 4");
    assert_ids(store, {.destination = in("2001:db8::/32")}, "3");
    assert_ids(store, {.destination = in("::/0")}, "1 2 3 4");
    assert_ids(store, {.reason = Reason::hook_lost}, "5");
    assert_ids(store, {.since = now_ + 4s}, "4 5");
    assert_ids(store, {.after = 3}, "4 5");
    assert_ids(store, {.limit = 2}, "4 5");
    assert_ids(store, {.after = 0, .limit = 2}, "1 2");
    assert_string_equal(ids(store, {.limit = 2}, 4).c_str(), "2 3");
    assert_int_equal(store.find({.limit = 1}, all)->total, 5);
    assert_int_equal(store.find({.after = 1, .limit = 1}, 5)->total, 3);
}

void what_cannot_be_understood_is_left_out_and_counted(void**) {
    auto store = opened();
    put(store, {row(1), row(2), row(3)});
    const auto database = Database::open(file());
    assert_true(database
                    ->run("UPDATE findings SET reason = 'of_later' WHERE id = 1;"
                          "UPDATE findings SET address = '12' WHERE id = 2;")
                    .has_value());
    assert_ids(store, {}, "3");
    assert_int_equal(store.unreadable(), 2);
}

void what_fails_changes_nothing(void**) {
    auto store = opened({.age = 24h, .rows = 1});
    put(store, {row(1)});
    const auto other = Database::open(file());
    assert_true(other->run("BEGIN IMMEDIATE").has_value());
    const auto refused = store.put({row(2)}, 2, now_);
    assert_non_null(strstr(refused.error().text().c_str(), "writing findings to"));
    assert_non_null(strstr(refused.error().text().c_str(), "database is locked"));
    assert_int_equal(store.rows(), 1);
    assert_true(other->run("COMMIT").has_value());
    assert_ids(store, {}, "1");
    put(store, {row(2)});
    assert_ids(store, {}, "2");
}

/// As the version before wrote it, with an override in it.
void an_earlier_file_gets_the_table(void**) {
    const auto database = Database::open(file());
    assert_true(database
                    ->run(R"(CREATE TABLE overrides (
        target TEXT PRIMARY KEY NOT NULL,
        max_connections INTEGER CHECK (max_connections BETWEEN 1 AND 1000000),
        mode TEXT CHECK (mode IN ('off', 'observe', 'enforce')),
        on_limit TEXT CHECK (on_limit IN ('refused', 'again', 'unreachable')),
        set_by TEXT NOT NULL,
        set_at_ns INTEGER NOT NULL, max_connections_total INTEGER
    CHECK (max_connections_total BETWEEN 1 AND 1000000), max_per_consumer INTEGER
    CHECK (max_per_consumer BETWEEN 1 AND 1000000), max_connect_rate INTEGER
    CHECK (max_connect_rate BETWEEN 1 AND 1000000), burst INTEGER CHECK (burst BETWEEN 1 AND 1000000),
        expires_at_ns INTEGER) STRICT;
        INSERT INTO overrides (target, max_connections, set_by, set_at_ns) VALUES ('a', 7, 'x', 1);
        PRAGMA user_version = 2;)")
                    .has_value());
    auto store = opened();
    put(store, {row(1)});
    assert_ids(store, {}, "1");
    assert_int_equal(Store::open(file())->overrides()->size(), 1);
}

int run() {
    const CMUnitTest tests[] = {
        BALLAST_CASE(findings_come_back_whole),
        BALLAST_CASE(what_counts_more_is_brought_up_to_date),
        BALLAST_CASE(the_oldest_make_room),
        BALLAST_CASE(what_is_too_old_is_forgotten),
        BALLAST_CASE(an_id_is_not_given_again),
        BALLAST_CASE(what_was_asked_for_is_found),
        BALLAST_CASE(what_cannot_be_understood_is_left_out_and_counted),
        BALLAST_CASE(what_fails_changes_nothing),
        BALLAST_CASE(an_earlier_file_gets_the_table),
    };
    return cmocka_run_group_tests_name("finding_store", tests, nullptr, nullptr);
}

} // namespace

TEST_GROUP(finding_store) {
    return ballast::test::run_with_directories(run);
}

} // namespace test_finding_store

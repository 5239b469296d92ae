// SPDX-License-Identifier: Apache-2.0
// daemon/store/bound_store: what was learned of paths survives, beside the rest of the store.
#include "daemon/store/bound_store.h"

#include <algorithm>
#include <string>

#include "daemon/store/store.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/temporary_directory.h"

namespace test_bound_store {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using test::directory;

std::filesystem::path file() {
    return directory / "state.db";
}

BoundStore opened() {
    auto store = BoundStore::open(file());
    assert_string_equal(store ? "" : store.error().text().c_str(), "");
    return std::move(*store);
}

StoredBound bound(const char* path, std::int64_t first) {
    const auto count = static_cast<std::uint32_t>(first);
    return {parse_path_key(path).value(),
            WallTime(1'700'000'000s + 5ns),
            {.survived_ms = first,
             .survived_age_ms = first + 1,
             .died_ms = first + 2,
             .died_age_ms = first + 3,
             .held_back_ms = first + 4,
             .held_back_age_ms = first + 5,
             .last_drop_age_ms = first + 6,
             .first_age_ms = -1,
             .incidents = count + 8,
             .drops = count + 9,
             .agreeing = count + 10,
             .contradicting = count + 11,
             .contested = 1}};
}

std::vector<StoredBound> kept() {
    auto all = *opened().bounds();
    std::ranges::sort(all, {}, &StoredBound::path);
    return all;
}

void bounds_come_back_after_a_restart(void**) {
    assert_true(kept().empty());
    const auto a = bound("10.0.0.5:5432", 100);
    const auto b = bound("[2001:db8::5]:5432", 200);
    const auto prefix = bound("10.0.0.0/24:5432", 300);
    const auto prefix6 = bound("[2001:db8::]/64:5432", 400);
    assert_true(opened().put({a, b, prefix, prefix6}, {}).has_value());
    const auto all = kept();
    assert_int_equal(all.size(), 4);
    for (const auto& one : {a, b, prefix, prefix6})
        assert_true(std::ranges::find(all, one) != all.end());
}

void the_newest_replaces_what_was(void**) {
    assert_true(opened().put({bound("10.0.0.5:5432", 100)}, {}).has_value());
    const auto newer = bound("10.0.0.5:5432", 300);
    assert_true(opened().put({newer}, {}).has_value());
    assert_true(kept() == std::vector{newer});
}

void what_is_gone_is_forgotten(void**) {
    const auto a = bound("10.0.0.5:5432", 100);
    const auto b = bound("10.0.0.6:5432", 200);
    assert_true(opened().put({a, b}, {}).has_value());
    assert_true(opened().put({}, {a.path}).has_value());
    assert_true(kept() == std::vector{b});
}

void it_lives_beside_the_overrides(void**) {
    assert_true(Store::open(file()).has_value());
    assert_true(opened().put({bound("10.0.0.5:5432", 100)}, {}).has_value());
    const auto store = Store::open(file());
    assert_true(store.has_value());
    assert_string_equal(store->notice().c_str(), "");
}

/// As versions wrote it that knew no prefixes.
void an_earlier_file_keeps_its_rows(void**) {
    assert_true(Store::open(file()).has_value());
    const auto database = Database::open(file());
    const auto made = database->run(R"(CREATE TABLE idle_bounds (path TEXT PRIMARY KEY NOT NULL,
        saved_at_ns INTEGER NOT NULL, survived_ms INTEGER NOT NULL, survived_age_ms INTEGER NOT NULL,
        died_ms INTEGER NOT NULL, died_age_ms INTEGER NOT NULL, held_back_ms INTEGER NOT NULL,
        held_back_age_ms INTEGER NOT NULL, last_drop_age_ms INTEGER NOT NULL,
        first_age_ms INTEGER NOT NULL, incidents INTEGER NOT NULL, drops INTEGER NOT NULL,
        agreeing INTEGER NOT NULL, contradicting INTEGER NOT NULL, contested INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
        INSERT INTO idle_bounds VALUES ('10.0.0.5:5432', 1700000000000000005,
        100, 101, 102, 103, 104, 105, 106, -1, 108, 109, 110, 111, 1);)");
    assert_true(made.has_value());
    const auto earlier = bound("10.0.0.5:5432", 100);
    assert_true(kept() == std::vector{earlier});
    const auto prefix = bound("10.0.0.0/24:5432", 200);
    assert_true(opened().put({prefix}, {}).has_value());
    assert_int_equal(kept().size(), 2);
    assert_true(opened().put({}, {prefix.path}).has_value());
    assert_true(kept() == std::vector{earlier});
}

int run() {
    const CMUnitTest tests[] = {
        BALLAST_CASE(bounds_come_back_after_a_restart),
        BALLAST_CASE(the_newest_replaces_what_was),
        BALLAST_CASE(what_is_gone_is_forgotten),
        BALLAST_CASE(an_earlier_file_keeps_its_rows),
        BALLAST_CASE(it_lives_beside_the_overrides),
    };
    return cmocka_run_group_tests_name("bound_store", tests, nullptr, nullptr);
}

} // namespace

TEST_GROUP(bound_store) {
    return ballast::test::run_with_directories(run);
}

} // namespace test_bound_store

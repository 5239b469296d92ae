// SPDX-License-Identifier: Apache-2.0
// daemon/store: overrides survive, damage does not stop a start, other schemas are left alone.
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store/store.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/temporary_directory.h"

namespace test_store {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

using test::directory;

fs::path file() {
    return directory / "state.db";
}

Store opened() {
    auto store = Store::open(file());
    assert_string_equal(store ? "" : store.error().text().c_str(), "");
    return std::move(*store);
}

Override override_of(const std::string& target, int seconds = 0) {
    Override out;
    out.target = target;
    out.max_connections = 7;
    out.set_by = "root";
    out.set_at = std::chrono::system_clock::time_point(1'900'000'000s + 123'456'789ns) +
                 std::chrono::seconds(seconds);
    return out;
}

void put(Store& store, const Override& wanted) {
    const auto done = store.put_override(wanted);
    assert_string_equal(done ? "" : done.error().text().c_str(), "");
}

std::string read(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

void run_sql(const char* sql) {
    const auto database = Database::open(file());
    assert_true(database.has_value());
    assert_true(database->run(sql).has_value());
}

void a_new_store_is_empty(void**) {
    const Store store = opened();
    assert_string_equal(store.notice().c_str(), "");
    assert_int_equal(store.overrides()->size(), 0);
}

void overrides_come_back_after_a_restart(void**) {
    Override full = override_of("orders-db", 1);
    full.mode = Mode::off;
    full.on_limit = OnLimit::unreachable;
    full.max_connections = 1'000'000;
    full.max_connections_total = 999'999;
    full.max_per_consumer = 3;
    full.max_connect_rate = 50;
    full.burst = 60;
    full.expires_at = full.set_at + 2h + 1ns;
    full.set_by = "o'brien \"x\"";
    Override spare = override_of("[2001:db8::5]:80");
    spare.max_connections.reset();
    spare.mode = Mode::enforce;
    {
        Store store = opened();
        put(store, full);
        put(store, spare);
    }
    const std::vector<Override> wanted{spare, full};
    assert_true(*opened().overrides() == wanted);
}

void put_replaces_as_a_whole(void**) {
    Store store = opened();
    Override first = override_of("a");
    first.mode = Mode::enforce;
    put(store, first);
    const Override second = override_of("a", 5);
    put(store, second);
    assert_true(*store.overrides() == std::vector{second});
}

void what_breaks_the_rules_is_not_stored(void**) {
    Store store = opened();
    for (const auto field :
         {&Override::max_connections, &Override::max_connections_total, &Override::max_per_consumer,
          &Override::max_connect_rate, &Override::burst})
        for (const std::uint32_t max : {0U, kMaxConnections + 1}) {
            Override wanted = override_of("a");
            wanted.*field = max;
            const auto refused = store.put_override(wanted);
            assert_non_null(strstr(refused.error().text().c_str(), "CHECK constraint failed"));
        }
    assert_int_equal(store.overrides()->size(), 0);
}

void remove(void**) {
    Store store = opened();
    put(store, override_of("a"));
    put(store, override_of("b"));
    assert_true(*store.remove_override("a"));
    assert_false(*store.remove_override("a"));
    assert_false(*store.remove_override(""));
    assert_true(*store.overrides() == std::vector{override_of("b")});
}

void the_number_is_bounded(void**) {
    Store store = opened();
    for (std::size_t i = 0; i < kMaxOverrides; ++i)
        put(store, override_of(std::to_string(i)));
    const auto more = store.put_override(override_of("more"));
    assert_non_null(strstr(more.error().text().c_str(), "there are 1023 overrides already"));
    put(store, override_of("5", 9));
    assert_int_equal(store.overrides()->size(), kMaxOverrides);
    assert_true(*store.remove_override("7"));
    put(store, override_of("more"));
}

/// put_override() by a process that is killed as soon as it returned.
void put_and_be_killed(const Override& wanted) {
    const pid_t child = fork();
    if (child == 0) {
        auto store = Store::open(file());
        if (!store || !store->put_override(wanted))
            _exit(1);
        ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

void survives_a_kill(void**) {
    put_and_be_killed(override_of("a"));
    const Store store = opened();
    assert_string_equal(store.notice().c_str(), "");
    assert_true(*store.overrides() == std::vector{override_of("a")});
}

void a_damaged_file_is_moved_aside(void**) {
    struct Case {
        const char* what;
        std::size_t offset;
    };
    for (const Case& c :
         std::array{Case{"header", 0}, Case{"schema page", 100}, Case{"table page", 4096}}) {
        print_message("# %s\n", c.what);
        {
            Store store = opened();
            for (int i = 0; i < 100; ++i)
                put(store, override_of(std::to_string(i)));
        }
        std::string bytes = read(file());
        bytes.replace(c.offset, 200, std::string(200, '\x5a'));
        std::ofstream(file(), std::ios::binary) << bytes;
        const fs::path aside = file().native() + ".corrupt-1";
        Store store = opened();
        assert_non_null(strstr(store.notice().c_str(), ".corrupt-1, and the overrides in it are "
                                                       "not in force"));
        assert_true(read(aside) == bytes);
        assert_int_equal(store.overrides()->size(), 0);
        put(store, override_of("a"));
        fs::remove(aside);
        fs::remove(file());
    }
}

void no_database_at_all_is_moved_aside(void**) {
    std::ofstream(file()) << std::string(5000, 'x');
    assert_non_null(strstr(opened().notice().c_str(), "was damaged (PRAGMA"));
    assert_string_equal(opened().notice().c_str(), "");
}

void files_set_aside_are_bounded(void**) {
    for (int i = 0; i < 12; ++i) {
        fs::remove(file());
        std::ofstream(file()) << std::string(5000, static_cast<char>('a' + i));
        (void)opened();
    }
    for (int n = 1; n <= 9; ++n)
        assert_true(fs::exists(file().native() + ".corrupt-" + std::to_string(n)));
    assert_false(fs::exists(file().native() + ".corrupt-10"));
    assert_true(read(file().native() + ".corrupt-9")[0] == 'l');
}

/// Left behind, the log would be replayed into the new file. SQLite removes it itself unless
/// somebody else has the file open.
void the_log_goes_with_its_file(void**) {
    {
        Store store = opened();
        put(store, override_of("a"));
    }
    put_and_be_killed(override_of("a", 1));
    const auto other = Database::open(file());
    assert_string_equal(other->value("SELECT count(*) FROM overrides")->c_str(), "1");
    std::fstream(file(), std::ios::binary | std::ios::in | std::ios::out) << std::string(100, 'x');
    const std::string log = read(file().native() + "-wal");
    assert_true(log.size() > 4096);
    const Store store = opened();
    assert_false(store.notice().empty());
    assert_int_equal(store.overrides()->size(), 0);
    assert_true(read(file().native() + ".corrupt-1-wal") == log);
}

void a_row_that_breaks_the_rules_is_damage(void**) {
    { (void)opened(); }
    run_sql("PRAGMA ignore_check_constraints = 1;"
            "INSERT INTO overrides (target, max_connections, mode, set_by, set_at_ns) "
            "VALUES ('a', 0, 'x', 'root', 0);");
    const Store store = opened();
    assert_true(!store.notice().empty());
    assert_int_equal(store.overrides()->size(), 0);
}

/// As version 1 made it, with what override_of() is and a row that has everything.
constexpr const char* kFileOfVersion1 = R"(
CREATE TABLE overrides (
    target TEXT PRIMARY KEY NOT NULL,
    max_connections INTEGER CHECK (max_connections BETWEEN 1 AND 1000000),
    mode TEXT CHECK (mode IN ('off', 'observe', 'enforce')),
    on_limit TEXT CHECK (on_limit IN ('refused', 'again', 'unreachable')),
    set_by TEXT NOT NULL,
    set_at_ns INTEGER NOT NULL
) STRICT;
INSERT INTO overrides VALUES ('a', 7, NULL, NULL, 'root', 1900000000123456789);
INSERT INTO overrides VALUES ('[2001:db8::5]:80', 9, 'enforce', 'again', 'root',
                              1900000001123456789);
PRAGMA user_version = 1;
)";

std::string schema_in_file() {
    return *Database::open(file())->value("PRAGMA user_version");
}

std::vector<Override> rows_of_version_1() {
    Override full = override_of("[2001:db8::5]:80", 1);
    full.max_connections = 9;
    full.mode = Mode::enforce;
    full.on_limit = OnLimit::again;
    return {override_of("a"), full};
}

void an_older_schema_is_brought_up_to_date(void**) {
    run_sql(kFileOfVersion1);
    Override added = override_of("new", 2);
    added.max_per_consumer = 3;
    added.expires_at = added.set_at + 1h;
    {
        Store store = opened();
        assert_string_equal(store.notice().c_str(), "");
        assert_true(*store.overrides() == rows_of_version_1());
        put(store, added);
    }
    assert_string_equal(schema_in_file().c_str(), "3");
    auto wanted = rows_of_version_1();
    wanted.push_back(added);
    assert_true(*opened().overrides() == wanted);
}

void a_file_brought_up_to_date_is_like_a_new_one(void**) {
    const auto schema = [] {
        { (void)opened(); }
        return *Database::open(file())->value("SELECT sql FROM sqlite_schema WHERE name = "
                                              "'overrides'");
    };
    const std::string fresh = schema();
    fs::remove(file());
    run_sql(kFileOfVersion1);
    assert_string_equal(schema().c_str(), fresh.c_str());
}

/// The last step of the migration fails for want of a column that is there already.
void a_step_that_fails_changes_nothing(void**) {
    run_sql(kFileOfVersion1);
    run_sql("ALTER TABLE overrides ADD COLUMN expires_at_ns INTEGER");
    const auto store = Store::open(file());
    assert_non_null(strstr(store.error().text().c_str(), "duplicate column name: expires_at_ns"));
    assert_string_equal(schema_in_file().c_str(), "1");
    const auto columns =
        Database::open(file())->value("SELECT count(*) FROM pragma_table_info('overrides')");
    assert_string_equal(columns->c_str(), "7");
    const auto rows = Database::open(file())->value("SELECT count(*) FROM overrides");
    assert_string_equal(rows->c_str(), "2");
}

void a_newer_schema_is_refused(void**) {
    { (void)opened(); }
    run_sql("PRAGMA user_version = 4");
    const std::string before = read(file());
    const auto store = Store::open(file());
    assert_non_null(strstr(store.error().text().c_str(),
                           "state.db: its schema is version 4, this version of Ballast knows "
                           "version 3; start the newer version"));
    assert_true(read(file()) == before);
    assert_false(fs::exists(file().native() + ".corrupt-1"));
}

void a_database_of_others_is_refused(void**) {
    run_sql("CREATE TABLE theirs (x)");
    const std::string before = read(file());
    const auto store = Store::open(file());
    assert_non_null(strstr(store.error().text().c_str(), "a database that Ballast did not make"));
    assert_true(read(file()) == before);
}

void what_cannot_be_opened_is_an_error(void**) {
    const auto no_directory = Store::open(directory / "no" / "state.db");
    assert_non_null(strstr(no_directory.error().text().c_str(), "opening the store "));
    assert_non_null(strstr(no_directory.error().text().c_str(), "unable to open database file"));
    const auto is_directory = Store::open(directory);
    assert_false(is_directory.has_value());
    assert_true(fs::is_directory(directory));
}

void a_locked_file_is_waited_for_and_reported(void**) {
    Store store = opened();
    const auto other = Database::open(file());
    assert_true(other->run("BEGIN IMMEDIATE").has_value());
    const auto refused = store.put_override(override_of("a"));
    assert_non_null(strstr(refused.error().text().c_str(), "database is locked"));
    assert_true(other->run("COMMIT").has_value());
    put(store, override_of("a"));
}

int run() {
    const CMUnitTest tests[] = {
        BALLAST_CASE(a_new_store_is_empty),
        BALLAST_CASE(overrides_come_back_after_a_restart),
        BALLAST_CASE(put_replaces_as_a_whole),
        BALLAST_CASE(what_breaks_the_rules_is_not_stored),
        BALLAST_CASE(remove),
        BALLAST_CASE(the_number_is_bounded),
        BALLAST_CASE(survives_a_kill),
        BALLAST_CASE(a_damaged_file_is_moved_aside),
        BALLAST_CASE(no_database_at_all_is_moved_aside),
        BALLAST_CASE(files_set_aside_are_bounded),
        BALLAST_CASE(the_log_goes_with_its_file),
        BALLAST_CASE(a_row_that_breaks_the_rules_is_damage),
        BALLAST_CASE(an_older_schema_is_brought_up_to_date),
        BALLAST_CASE(a_file_brought_up_to_date_is_like_a_new_one),
        BALLAST_CASE(a_step_that_fails_changes_nothing),
        BALLAST_CASE(a_newer_schema_is_refused),
        BALLAST_CASE(a_database_of_others_is_refused),
        BALLAST_CASE(what_cannot_be_opened_is_an_error),
        BALLAST_CASE(a_locked_file_is_waited_for_and_reported),
    };
    return cmocka_run_group_tests_name("store", tests, nullptr, nullptr);
}

} // namespace

TEST_GROUP(store) {
    return test::run_with_directories(run);
}

} // namespace test_store

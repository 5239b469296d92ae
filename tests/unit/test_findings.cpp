// SPDX-License-Identifier: Apache-2.0
// daemon/findings: what is told is logged, counted, saved and found again, whatever becomes of the
// store.
#include "daemon/findings/findings.h"

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "daemon/store/store.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/temporary_directory.h"

namespace test_findings {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using findings::Findings;
using findings::Reason;
using findings::Recent;
using findings::Severity;
using test::directory;

std::filesystem::path file() {
    return directory / "state.db";
}

struct World {
    struct Outlet final : findings::Outlet {
        explicit Outlet(World& of) : world(of) {}
        [[nodiscard]] Recent::Now now() const override { return world.now; }
        void write(Severity severity, std::string_view line) override {
            world.lines.push_back(std::string(name_of(severity)) + ": " + std::string(line));
        }
        World& world;
    };

    Recent::Now now{std::chrono::steady_clock::time_point(10h), WallTime(1'714'539'600s)};
    std::vector<std::string> lines;
    Findings sink{std::make_unique<Outlet>(*this)};

    explicit World(bool opens = true) {
        if (!opens)
            return;
        assert_true(Store::open(file()).has_value());
        sink.open(file());
    }
    void pass(std::chrono::milliseconds time) {
        now.monotonic += time;
        now.wall += time;
    }
    [[nodiscard]] std::string ids(const FindingQuery& query = {}) {
        std::string text;
        for (const auto& row : sink.page(query).rows)
            text += (text.empty() ? "" : " ") + std::to_string(row.id);
        return text;
    }
};

Finding refusing(std::uint16_t port = 5432) {
    return {.reason = Reason::limit_refusing,
            .destination = {parse_address("10.0.0.5").value(), port},
            .service = "db",
            .evidence = "in_use=10 refused=3",
            .acted = true};
}

const Finding lost_hook{.reason = Reason::hook_lost, .evidence = "program=connect4"};

void each_is_a_line_of_the_log(void**) {
    World world(false);
    world.sink.add(refusing());
    world.sink.add(lost_hook);
    world.sink.add(refusing());
    const std::vector<std::string> wanted{
        "warning: finding reason=limit_refusing destination=10.0.0.5:5432 service=db in_use=10 "
        "refused=3",
        "critical: finding reason=hook_lost program=connect4",
        "warning: finding reason=limit_refusing destination=10.0.0.5:5432 service=db in_use=10 "
        "refused=3"};
    assert_true(world.lines == wanted);
}

void each_is_counted(void**) {
    World world;
    world.sink.add(refusing());
    world.sink.add(refusing());
    world.sink.add(lost_hook);
    const auto status = world.sink.status();
    assert_int_equal(status.made.at(static_cast<std::size_t>(Reason::limit_refusing)), 2);
    assert_int_equal(status.made.at(static_cast<std::size_t>(Reason::hook_lost)), 1);
    assert_int_equal(status.coalesced, 1);
    assert_int_equal(status.unsaved, 2);
    assert_int_equal(status.kept, 0);
    world.sink.save();
    assert_int_equal(world.sink.status().unsaved, 0);
    assert_int_equal(world.sink.status().kept, 2);
}

void the_same_is_told_after_a_restart(void**) {
    std::vector<KeptFinding> before;
    {
        World world;
        for (std::uint16_t port = 1; port <= 5; ++port)
            world.sink.add(refusing(port));
        world.sink.save();
        before = world.sink.page({}).rows;
        world.sink.add(refusing(6)); // not saved, as by kill -9
    }
    World world;
    assert_true(world.sink.page({}).rows == before);
    world.sink.add(lost_hook);
    const auto id = world.sink.page({.limit = 1}).rows.front().id;
    assert_true(id > 6); // somebody may have seen that
    assert_int_equal(world.sink.page({}).last_id, id);
}

void an_id_that_was_seen_is_not_given_again(void**) {
    {
        World world;
        world.sink.add(refusing(1)); // and killed before anything was saved
        assert_int_equal(world.sink.page({}).last_id, 1);
    }
    World world;
    world.sink.add(refusing(2));
    assert_true(world.sink.page({}).rows.front().id > 1);
}

void an_orderly_end_leaves_no_gap(void**) {
    {
        World world;
        world.sink.add(refusing(1));
        world.sink.save();
        world.sink.add(refusing(2));
        world.sink.close();
    }
    World world;
    world.sink.add(refusing(3));
    assert_string_equal(world.ids().c_str(), "1 2 3");
}

void what_is_older_than_memory_is_read(void**) {
    {
        World world;
        for (std::size_t i = 1; i <= Recent::most + 10; ++i) {
            world.sink.add(refusing(static_cast<std::uint16_t>(i)));
            if (i % 1000 == 0)
                world.sink.save();
        }
        world.sink.save();
        assert_int_equal(world.sink.status().lost, 0);
        assert_string_equal(world.ids({.after = 8, .limit = 4}).c_str(), "9 10 11 12");
        assert_int_equal(world.sink.page({}).total, Recent::most + 10);
        assert_int_equal(world.sink.page({.port = std::uint16_t{3}}).rows.front().id, 3);
    }
    World world;
    world.sink.add(lost_hook);
    assert_string_equal(world.ids({.after = 9, .limit = 3}).c_str(), "10 11 12");
    const auto page = world.sink.page({.limit = Recent::most + 5});
    assert_int_equal(page.rows.size(), Recent::most + 5);
    assert_int_equal(page.rows.front().id, 7);
    assert_int_equal(page.rows.back().id, page.last_id);
    assert_int_equal(page.total, Recent::most + 11);
}

/// What waits for the store's lock may yet be lost.
void what_is_being_written_is_not_saved_yet(void**) {
    World world;
    world.sink.add(refusing(1));
    const auto other = Database::open(file());
    assert_true(other->run("BEGIN IMMEDIATE").has_value());
    std::thread writer([&] { world.sink.save(); });
    std::uint64_t least = 1; // until the store's patience is over and the save has failed
    while (world.sink.status().saves_failed == 0)
        least = std::min(least, world.sink.status().unsaved);
    writer.join();
    assert_int_equal(least, 1);
    assert_true(other->run("COMMIT").has_value());
}

/// Not saved, not forgotten, said once, and made good.
void a_store_that_fails_stops_nothing(void**) {
    World world;
    world.sink.add(refusing(1));
    const auto other = Database::open(file());
    assert_true(other->run("BEGIN IMMEDIATE").has_value());
    const auto before = world.lines.size();
    world.sink.save();
    world.sink.add(refusing(2));
    world.sink.save();
    assert_int_equal(world.lines.size(), before + 2); // one is the finding
    assert_non_null(strstr(world.lines.at(before).c_str(), "critical: findings are not saved"));
    assert_int_equal(world.sink.status().saves_failed, 2);
    assert_int_equal(world.sink.status().unsaved, 2);
    assert_string_equal(world.ids().c_str(), "1 2");
    assert_true(other->run("COMMIT").has_value());
    world.sink.save();
    assert_string_equal(world.lines.back().c_str(), "warning: findings are saved again");
    assert_int_equal(world.sink.status().kept, 2);
    assert_int_equal(world.sink.status().lost, 0);
}

void without_a_store_memory_has_them(void**) {
    World world(false);
    world.sink.open(directory / "none" / "state.db");
    assert_non_null(strstr(world.lines.at(0).c_str(), "findings will not outlive this daemon"));
    assert_int_equal(world.sink.status().saves_failed, 1);
    world.sink.add(lost_hook);
    world.sink.save();
    assert_string_equal(world.ids().c_str(), "1");
}

void a_history_that_cannot_be_read_is_said(void**) {
    World world;
    for (std::size_t i = 1; i <= Recent::most + 2; ++i) {
        world.sink.add(refusing(static_cast<std::uint16_t>(i)));
        if (i == 1000)
            world.sink.save();
    }
    assert_true(world.sink.page({}).is_whole);
    assert_true(Database::open(file())->run("DROP TABLE findings").has_value());
    const auto page = world.sink.page({.limit = 2});
    assert_false(page.is_whole);
    assert_int_equal(page.rows.size(), 2);
    assert_non_null(strstr(world.lines.back().c_str(), "earlier findings cannot be read"));
}

void the_old_is_forgotten_though_nothing_is_new(void**) {
    World world;
    world.sink.add(lost_hook);
    world.sink.save();
    world.pass(29 * 24h);
    world.sink.save();
    assert_int_equal(world.sink.status().kept, 1);
    world.pass(2 * 24h);
    world.sink.save();
    assert_int_equal(world.sink.status().kept, 0);
}

/// Four threads tell while one saves and one asks.
void threads_may_tell_at_once(void**) {
    const World world(false);
    struct Silent final : findings::Outlet {
        explicit Silent(Recent::Now at) : time(at) {}
        [[nodiscard]] Recent::Now now() const override { return time; }
        void write(Severity, std::string_view) override {}
        Recent::Now time;
    };
    assert_true(Store::open(file()).has_value());
    Findings sink(std::make_unique<Silent>(world.now));
    sink.open(file());
    std::vector<std::thread> threads;
    constexpr unsigned each = 200;
    for (unsigned thread = 0; thread < 4; ++thread)
        threads.emplace_back([&sink, thread] {
            for (unsigned i = 0; i < each; ++i)
                sink.add(refusing(static_cast<std::uint16_t>(1 + thread * each + i)));
        });
    threads.emplace_back([&sink] {
        for (unsigned i = 0; i < 20; ++i)
            sink.save();
    });
    threads.emplace_back([&sink] {
        for (unsigned i = 0; i < 50; ++i)
            (void)sink.page({});
    });
    for (auto& thread : threads)
        thread.join();
    sink.save();
    assert_int_equal(sink.status().kept, 4 * each);
    assert_int_equal(sink.page({}).last_id, 4 * each);
    assert_int_equal(sink.status().lost, 0);
}

int run() {
    const CMUnitTest tests[] = {
        BALLAST_CASE(each_is_a_line_of_the_log),
        BALLAST_CASE(each_is_counted),
        BALLAST_CASE(the_same_is_told_after_a_restart),
        BALLAST_CASE(an_id_that_was_seen_is_not_given_again),
        BALLAST_CASE(an_orderly_end_leaves_no_gap),
        BALLAST_CASE(what_is_older_than_memory_is_read),
        BALLAST_CASE(what_is_being_written_is_not_saved_yet),
        BALLAST_CASE(a_store_that_fails_stops_nothing),
        BALLAST_CASE(without_a_store_memory_has_them),
        BALLAST_CASE(a_history_that_cannot_be_read_is_said),
        BALLAST_CASE(the_old_is_forgotten_though_nothing_is_new),
        BALLAST_CASE(threads_may_tell_at_once),
    };
    return cmocka_run_group_tests_name("findings", tests, nullptr, nullptr);
}

} // namespace

TEST_GROUP(findings) {
    return ballast::test::run_with_directories(run);
}

} // namespace test_findings

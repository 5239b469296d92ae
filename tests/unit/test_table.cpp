// SPDX-License-Identifier: Apache-2.0
// cli/table: layout, colour, columns that are left out, footers; the same rows as JSON.
#include <array>
#include <string>

#include "cli/format.h"
#include "cli/table.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_table {

namespace {

using namespace ballast::cli;

Tone tone_of(const Json& value) {
    return value == "ok" ? Tone::good : Tone::bad;
}

std::vector<Column> columns() {
    return {{.key = "state", .title = "STATE", .format = format_text, .tone = tone_of},
            {.key = "name", .title = "NAME", .format = format_text},
            {.key = "count", .title = "COUNT", .format = format_count, .align = Align::right},
            {"lost", "LOST", format_count, Align::right, true, 2},
            {"idle", "IDLE", format_ms, Align::right, false, 1}};
}

Json document() {
    return {{"total", 2},
            {"returned", 2},
            {"rows",
             {{{"state", "ok"}, {"name", "a"}, {"count", 1234}, {"lost", 0}, {"idle", 1500}},
              {{"state", "at limit"}, {"name", nullptr}, {"count", 5}, {"more", true}}}}};
}

Table table() {
    Json made = document();
    return {made, made.at("rows"), columns()};
}

void assert_text(const Table& made, const TextStyle& style, const char* wanted) {
    assert_string_equal(made.text(style).c_str(), wanted);
}

void aligned(void**) {
    assert_text(table(), {},
                "STATE     NAME  COUNT  IDLE\n"
                "ok        a      1234  1.5s\n"
                "at limit  -         5     -\n");
}

void lines_around(void**) {
    Table made = table();
    made.lead("above");
    made.foot("below");
    assert_text(made, {},
                "above\n"
                "STATE     NAME  COUNT  IDLE\n"
                "ok        a      1234  1.5s\n"
                "at limit  -         5     -\n"
                "below\n");
}

void blank_columns_are_hidden(void**) {
    Json made = document();
    made.at("rows").at(0)["lost"] = 3;
    assert_text({made, made.at("rows"), columns()}, {},
                "STATE     NAME  COUNT  LOST  IDLE\n"
                "ok        a      1234     3  1.5s\n"
                "at limit  -         5     -     -\n");
}

void empty_lists_are_blank(void**) {
    Json made = document();
    std::vector<Column> all = columns();
    all.push_back({"lists", "LISTS", format_list, Align::left, true});
    made.at("rows").at(0)["lists"] = made.at("rows").at(1)["lists"] = Json::array();
    assert_text({made, made.at("rows"), all}, {}, table().text({}).c_str());
    made.at("rows").at(1)["lists"] = {"x", "y"};
    assert_text({made, made.at("rows"), all}, {},
                "STATE     NAME  COUNT  IDLE  LISTS\n"
                "ok        a      1234  1.5s  -\n"
                "at limit  -         5     -  x, y\n");
}

void colour_in_state_cells_alone(void**) {
    assert_text(table(), {.colour = true},
                "STATE     NAME  COUNT  IDLE\n"
                "\033[32mok\033[0m        a      1234  1.5s\n"
                "\033[1;31mat limit\033[0m  -         5     -\n");
}

void narrow_terminals_lose_columns(void**) {
    assert_text(table(), {.width = 27}, table().text({}).c_str());
    assert_text(table(), {.width = 26},
                "STATE     NAME  COUNT\n"
                "ok        a      1234\n"
                "at limit  -         5\n"
                "not shown for lack of room: IDLE\n");
    assert_text(table(), {.width = 3}, table().text({.width = 26}).c_str());
}

void nothing_to_show(void**) {
    Table made({{"total", 0}}, Json::array(), columns());
    made.foot("0 rows");
    assert_text(made, {.width = 3}, "0 rows\n");
}

void control_characters_do_not_reach_the_terminal(void**) {
    const Json rows = {{{"state", "ok"}, {"name", "a\033[2Jb"}}};
    assert_text({rows, rows, {columns()[1]}}, {}, "NAME\na?[2Jb\n");
}

void json_is_the_document(void**) {
    Table made = table();
    made.foot("not in JSON");
    assert_true(Json::parse(made.json()) == document());
    assert_int_equal(made.json().back(), '\n');
}

void footers(void**) {
    struct Case {
        std::size_t total;
        std::size_t returned;
        const char* text;
    };
    for (const Case& c : std::array{
             Case{0, 0, "0 flows"},
             Case{1, 1, "1 flow"},
             Case{340, 340, "340 flows"},
             Case{340, 12, "12 of 340 flows; --limit 340 shows all"},
             Case{10'000, 100, "100 of 10000 flows; --limit 10000 shows all"},
             Case{20'000, 100, "100 of 20000 flows; --limit 10000 shows most"},
             Case{20'000, 10'000, "10000 of 20000 flows; no more can be shown at once"},
         }) {
        const Json made = {{"total", c.total}, {"returned", c.returned}};
        assert_string_equal(list_footer(made, "flow").c_str(), c.text);
    }
}

} // namespace

TEST_GROUP(table) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(aligned),
        cmocka_unit_test(lines_around),
        cmocka_unit_test(blank_columns_are_hidden),
        cmocka_unit_test(empty_lists_are_blank),
        cmocka_unit_test(colour_in_state_cells_alone),
        cmocka_unit_test(narrow_terminals_lose_columns),
        cmocka_unit_test(nothing_to_show),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(json_is_the_document),
        cmocka_unit_test(footers),
    };
    return cmocka_run_group_tests_name("table", tests, nullptr, nullptr);
}

} // namespace test_table

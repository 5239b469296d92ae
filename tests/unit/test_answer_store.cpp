// SPDX-License-Identifier: Apache-2.0
// daemon/store/answer_store: answers survive, beside the overrides and without touching them.
#include <string>

#include "daemon/store/answer_store.h"
#include "daemon/store/store.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/temporary_directory.h"

namespace test_answer_store {

namespace {

using namespace ballast;
using test::directory;

std::filesystem::path file() {
    return directory / "state.db";
}

AnswerStore opened() {
    auto store = AnswerStore::open(file());
    assert_string_equal(store ? "" : store.error().text().c_str(), "");
    return std::move(*store);
}

Answer addresses(const std::vector<const char*>& texts) {
    std::vector<Address> all;
    for (const char* text : texts)
        all.push_back(*parse_address(text));
    return answer_of(std::move(all));
}

void put(AnswerStore& store, const std::string& host, const Answer& answer) {
    const auto done = store.put(host, answer);
    assert_string_equal(done ? "" : done.error().text().c_str(), "");
}

void answers_come_back_after_a_restart(void**) {
    const Answers wanted{{"a.internal", addresses({"10.0.0.2", "10.0.0.1", "2001:db8::1"})},
                         {"b", addresses({"10.0.0.1"})}};
    {
        AnswerStore store = opened();
        assert_true(store.answers()->empty());
        put(store, "b", addresses({"10.0.0.8", "10.0.0.9"}));
        for (const auto& [host, answer] : wanted)
            put(store, host, answer);
    }
    assert_true(*opened().answers() == wanted);
}

void others_are_forgotten(void**) {
    AnswerStore store = opened();
    for (const char* host : {"a", "b", "c"})
        put(store, host, addresses({"10.0.0.1"}));
    assert_true(store.keep_only({"b", "x"}).has_value());
    assert_int_equal(store.answers()->size(), 1);
    assert_true(store.answers()->contains("b"));
    assert_true(store.keep_only({}).has_value());
    assert_true(store.answers()->empty());
}

void beside_the_overrides(void**) {
    auto overrides = Store::open(file());
    assert_true(overrides.has_value());
    Override wanted;
    wanted.target = "orders-db";
    wanted.max_connections = 7;
    wanted.set_by = "root";
    assert_true(overrides->put_override(wanted).has_value());
    AnswerStore answers = opened();
    put(answers, "a", addresses({"10.0.0.1"}));
    wanted.max_connections = 8;
    assert_true(overrides->put_override(wanted).has_value());
    assert_int_equal(answers.answers()->size(), 1);
    const auto again = Store::open(file());
    assert_true(again.has_value());
    assert_string_equal(again->notice().c_str(), "");
    assert_int_equal(again->overrides()->at(0).max_connections.value_or(0), 8);
}

void a_strange_row_is_an_error(void**) {
    AnswerStore store = opened();
    const auto database = Database::open(file());
    assert_true(database->run("INSERT INTO name_answers VALUES ('a', 'nowhere')").has_value());
    const auto answers = store.answers();
    assert_false(answers.has_value());
    assert_non_null(std::strstr(answers.error().text().c_str(), "reading the answer for \"a\""));
}

/// Another process may hold the file; the answer is then not kept, and the next one is.
void a_failed_write_changes_nothing(void**) {
    AnswerStore store = opened();
    put(store, "a", addresses({"10.0.0.1"}));
    const auto other = Database::open(file());
    assert_true(other->run("BEGIN EXCLUSIVE").has_value());
    assert_false(store.put("a", addresses({"10.0.0.2"})).has_value());
    assert_true(other->run("COMMIT").has_value());
    assert_true(store.answers()->at("a") == addresses({"10.0.0.1"}));
    put(store, "a", addresses({"10.0.0.2"}));
}

int run() {
    const CMUnitTest tests[] = {
        BALLAST_CASE(answers_come_back_after_a_restart),
        BALLAST_CASE(others_are_forgotten),
        BALLAST_CASE(beside_the_overrides),
        BALLAST_CASE(a_strange_row_is_an_error),
        BALLAST_CASE(a_failed_write_changes_nothing),
    };
    return cmocka_run_group_tests_name("answer_store", tests, nullptr, nullptr);
}

} // namespace

TEST_GROUP(answer_store) {
    return ballast::test::run_with_directories(run);
}

} // namespace test_answer_store

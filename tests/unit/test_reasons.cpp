// SPDX-License-Identifier: Apache-2.0
// daemon/findings/reasons: docs/findings.md has the table's rows, and no others.
#include "daemon/findings/reasons.h"

#include <set>
#include <sstream>
#include <string>

#include <fmt/format.h>

#include "findings_text.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_reasons {

namespace {

using namespace ballast::findings;

/// The lines of the section "Reasons" that begin with a code.
std::set<std::string> documented() {
    const std::string text = kFindingsText;
    const auto begin = text.find("\n## Reasons\n");
    std::istringstream section(text.substr(begin, text.find("\n## ", begin + 1) - begin));
    std::set<std::string> lines;
    for (std::string line; std::getline(section, line);)
        if (line.starts_with("| `"))
            lines.insert(line);
    return lines;
}

void every_reason_is_documented_as_it_is(void**) {
    std::set<std::string> wanted;
    for (const ReasonRow& row : kReasons)
        wanted.insert(fmt::format("| `{}` | {} | {} | {} |", row.code, name_of(row.severity),
                                  row.summary, row.advice));
    for (const auto& line : wanted)
        if (!documented().contains(line))
            fail_msg("docs/findings.md lacks the line:\n%s", line.c_str());
    for (const auto& line : documented())
        if (!wanted.contains(line))
            fail_msg("docs/findings.md has a line of no reason:\n%s", line.c_str());
}

void a_reason_has_one_name(void**) {
    for (const ReasonRow& row : kReasons) {
        assert_true(reason_named(row.code) == row.reason);
        assert_true(name_of(row.reason) == row.code);
        assert_int_equal(row.code.find_first_not_of("abcdefghijklmnopqrstuvwxyz_2"),
                         std::string_view::npos);
    }
    assert_false(reason_named("").has_value());
    assert_false(reason_named("limit").has_value());
}

} // namespace

TEST_GROUP(reasons) {
    const CMUnitTest tests[] = {cmocka_unit_test(every_reason_is_documented_as_it_is),
                                cmocka_unit_test(a_reason_has_one_name)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_reasons

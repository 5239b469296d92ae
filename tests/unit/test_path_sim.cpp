// SPDX-License-Identifier: Apache-2.0
// Keepalive `auto` on simulated paths: no fixed policy is better, and docs/keepalive.md shows what
// the simulation prints.
#include <cstdlib>
#include <string>

#include "keepalive_text.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/sim/table.h"

namespace test_path_sim {

namespace {

using namespace ballast::sim;

/// With the seed of the table.
const std::vector<Row>& rows() {
    static const std::vector<Row> all = run_all();
    return all;
}

void check_none_is_better_than_auto(const Row& row) {
    for (std::size_t index = 0; index < policies().size() && policies()[index].automatic; ++index)
        for (const std::string& name : row.better_in_both(index))
            fail_msg("%s: %s loses fewer connections with fewer probes than %s:\n%s",
                     row.path.c_str(), name.c_str(), policies()[index].name.c_str(),
                     table({row}).c_str());
}

void no_policy_is_better_than_auto(void**) {
    for (const Row& row : rows())
        check_none_is_better_than_auto(row);
}

void nor_with_other_chances(void**) {
    for (const Path& path : paths())
        check_none_is_better_than_auto(run(path, 2, 7));
}

void the_document_shows_the_table(void**) {
    const std::string printed = table(rows());
    if (std::string(kKeepaliveText).find("\n\n" + printed + "\n") == std::string::npos)
        fail_msg("docs/keepalive.md does not have what ballast-path-sim prints:\n%s",
                 printed.c_str());
}

} // namespace

TEST_GROUP(path_sim) {
    if (std::getenv("BALLAST_VM") !=
        nullptr) { // the same on every kernel, and long under emulation
        const CMUnitTest quick[] = {cmocka_unit_test(nor_with_other_chances)};
        return cmocka_run_group_tests(quick, nullptr, nullptr);
    }
    const CMUnitTest tests[] = {cmocka_unit_test(no_policy_is_better_than_auto),
                                cmocka_unit_test(nor_with_other_chances),
                                cmocka_unit_test(the_document_shows_the_table)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_path_sim

// SPDX-License-Identifier: Apache-2.0
// daemon/kernel/mapped.h: a table is mapped as far as it is asked for, and never moves. A memory
// file stands in for the map: both are mapped by offset, and refuse what lies behind their end.
#include "daemon/kernel/mapped.h"

#include <cstdint>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_mapped {

namespace {

using ballast::Fd;
using ballast::kernel::Mapped;

constexpr const char* file_name = "ballast-mapped-test";

struct Row {
    std::uint64_t words[80]; ///< does not divide a page
};
constexpr std::size_t rows = 1000;

Fd memory_file(std::size_t bytes) {
    Fd file(::memfd_create(file_name, MFD_CLOEXEC));
    assert_true(file.get() >= 0);
    assert_int_equal(::ftruncate(file.get(), static_cast<off_t>(bytes)), 0);
    return file;
}

/// Bytes of the file that this process has mapped.
std::size_t bytes_mapped() {
    std::ifstream maps("/proc/self/maps");
    std::size_t sum = 0;
    for (std::string line; std::getline(maps, line);) {
        if (line.find(file_name) == std::string::npos)
            continue;
        std::size_t dash = 0;
        const auto from = std::stoull(line, &dash, 16);
        sum += std::stoull(line.substr(dash + 1), nullptr, 16) - from;
    }
    return sum;
}

void grows_with_what_is_asked_for(void**) {
    const Fd file = memory_file(rows * sizeof(Row) + 4096);
    {
        auto mapped = Mapped<Row>::reserve(file.get(), rows, "rows");
        assert_true(mapped.has_value());
        const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        assert_int_equal(bytes_mapped(), page);
        Row* const first = &(*mapped)[0];
        (*mapped)[page / sizeof(Row)].words[79] = 7; // crosses the end of the first page
        assert_int_equal(bytes_mapped(), 2 * page);
        assert_int_equal(mapped->first(100).size(), 100);
        assert_true(bytes_mapped() >= 100 * sizeof(Row));
        assert_true(bytes_mapped() < 100 * sizeof(Row) + page);
        (*mapped)[rows - 1].words[79] = 9;
        assert_ptr_equal(&(*mapped)[0], first);

        const auto whole = Mapped<Row>::open(file.get(), rows, "rows");
        assert_true(whole.has_value());
        assert_int_equal((*whole)[page / sizeof(Row)].words[79], 7);
        assert_int_equal(whole->all().back().words[79], 9);
    }
    assert_int_equal(bytes_mapped(), 0);
}

/// What a thread wrote is there, whoever has mapped more meanwhile.
void threads_may_ask_for_more_at_once(void**) {
    for (int round = 0; round < 20; ++round) {
        const Fd file = memory_file(rows * sizeof(Row) + 4096);
        const auto mapped = Mapped<Row>::reserve(file.get(), rows, "rows");
        std::vector<std::thread> threads;
        for (std::size_t own = 0; own < 4; ++own)
            threads.emplace_back([&, own] {
                for (std::size_t index = own; index < rows; index += 4)
                    (*mapped)[index].words[0] += index + 1;
            });
        for (auto& thread : threads)
            thread.join();
        for (std::size_t index = 0; index < rows; ++index)
            assert_int_equal((*mapped)[index].words[0], index + 1);
    }
}

void has_an_end(void**) {
    const Fd file = memory_file(rows * sizeof(Row) + 4096);
    const auto mapped = Mapped<Row>::reserve(file.get(), rows, "rows");
    assert_int_equal(mapped->first(rows + 5).size(), rows);
    bool thrown = false;
    try {
        (void)(*mapped)[rows];
    } catch (const std::out_of_range&) {
        thrown = true;
    }
    assert_true(thrown);
}

void says_what_cannot_be_mapped(void**) {
    const auto none = Mapped<Row>::open(-1, rows, "rows");
    assert_false(none.has_value());
    assert_true(none.error().text().find("BPF map rows") != std::string::npos);
}

} // namespace

TEST_GROUP(mapped) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(grows_with_what_is_asked_for),
        cmocka_unit_test(threads_may_ask_for_more_at_once),
        cmocka_unit_test(has_an_end),
        cmocka_unit_test(says_what_cannot_be_mapped),
    };
    return cmocka_run_group_tests_name("mapped", tests, nullptr, nullptr);
}

} // namespace test_mapped

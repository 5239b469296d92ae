// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/check.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

#include "tests/harness/cmocka.hpp"

namespace ballast::test {

namespace {

constexpr int failed_child_status = 99;
bool end_process = false;

/// Every line of a TAP remark has to start with '#'.
std::string as_remark(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out += c;
        if (c == '\n')
            out += "# ";
    }
    return out;
}

} // namespace

void asserts_end_process() {
    end_process = true;
}

void fail_test(const std::string& message, Where where) {
    const auto text = as_remark(message);
    if (end_process) {
        fmt::print("# in a child, {}:{}: {}\n", where.file_name(), where.line(), text);
        std::fflush(stdout);
        ::_exit(failed_child_status);
    }
    print_error("# failed: %s\n", text.c_str());
    _fail(where.file_name(), static_cast<int>(where.line()));
    std::abort();
}

void skip_kernel_lacks(std::string_view feature) {
    note(fmt::format("kernel lacks {}", feature));
    _skip(__FILE__, __LINE__);
    std::abort();
}

std::string errno_text(int errno_value) {
    if (errno_value == 0)
        return "success";
    return fmt::format("{} ({})", ::strerrorname_np(errno_value), errno_value);
}

void check_errno(int got, int wanted, std::string_view what, Where where) {
    if (got != wanted)
        fail_test(fmt::format("{}: got {}, wanted {}", what, errno_text(got), errno_text(wanted)),
                  where);
}

void need(bool ok, std::string_view call, Where where) {
    if (!ok)
        fail_test(fmt::format("{}: {}", call, std::strerror(errno)), where);
}

void note(std::string_view text) {
    fmt::print("# {}\n", as_remark(text));
    std::fflush(stdout);
}

} // namespace ballast::test

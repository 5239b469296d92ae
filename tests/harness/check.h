// SPDX-License-Identifier: Apache-2.0
// Asserts that say what was expected of what. A failing one ends the cmocka test by longjmp, so
// whatever must be undone belongs in the Registry, not in destructors of the test's own variables.
#pragma once

#include <source_location>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace ballast::test {

using Where = std::source_location;

/// Fails the running test; in a forked child, prints the message and ends it with status 99.
[[noreturn]] void fail_test(const std::string& message, Where where = Where::current());

/// Skips the running test. run-suites accepts that only when `ballast check` lists `feature` (the
/// exact name there) as one this kernel does not have.
[[noreturn]] void skip_kernel_lacks(std::string_view feature);

inline void check(bool holds, std::string_view what, Where where = Where::current()) {
    if (!holds)
        fail_test(fmt::format("does not hold: {}", what), where);
}

template <typename Got, typename Wanted>
void check_equal(const Got& got, const Wanted& wanted, std::string_view what,
                 Where where = Where::current()) {
    if (!(got == wanted))
        fail_test(fmt::format("{}: got {}, wanted {}", what, got, wanted), where);
}

/// `errno_value` 0 reads "success".
std::string errno_text(int errno_value);

/// Compares two errno values, naming both.
void check_errno(int got, int wanted, std::string_view what, Where where = Where::current());

/// For system calls of the tests themselves: fails with errno's text when `ok` is false.
void need(bool ok, std::string_view call, Where where = Where::current());

/// A remark on the test's TAP output.
void note(std::string_view text);

/// Makes the failing asserts of this process end it: called in forked children.
void asserts_end_process();

} // namespace ballast::test

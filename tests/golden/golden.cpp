// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/golden.h"

#include <cstdlib>
#include <filesystem>

#include "tests/harness/check.h"
#include "tests/harness/process.h"

namespace ballast::test {

void check_golden(const std::string& name, const std::string& got) {
    if (const char* directory = std::getenv("BALLAST_GOLDEN_WRITE"); directory != nullptr) {
        write_file(fmt::format("{}/{}.txt", directory, name), got);
        return;
    }
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    const std::string path = here / "expected" / (name + ".txt");
    const std::string wanted = read_file(path);
    if (got != wanted)
        fail_test(fmt::format("output differs from {}\n--- wanted\n{}--- got\n{}---\n(if it is "
                              "right: BALLAST_GOLDEN_WRITE=tests/golden/expected {})",
                              path, wanted, got,
                              std::filesystem::read_symlink("/proc/self/exe").string()));
}

} // namespace ballast::test

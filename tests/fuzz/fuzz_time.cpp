// SPDX-License-Identifier: Apache-2.0
// Fuzzes the parser of times that requests carry. Beyond "no crash" it holds the parser to its
// promises: what it takes is in range, and is the same when it is written and read again.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "daemon/util/wall_time.h"

namespace {

using namespace ballast;
using std::chrono::hours;
using std::chrono::milliseconds;
using Time = std::chrono::system_clock::time_point;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken promise: %s\n", what);
    std::abort();
}

/// An offset may take a time out of the years by a day.
void check(Time time) {
    constexpr hours day{24};
    require(time >= Time(-day) && time < Time(hours(24 * 84'006)) + day, "from 1970 to 2199");
    if (time < Time())
        return; // not to be written
    const auto again = parse_rfc3339(rfc3339(time));
    if (again)
        require(*again == std::chrono::floor<milliseconds>(time), "it is read as it was written");
    else
        require(time >= Time(hours(24 * 84'006)), "what was taken is taken again");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto time = parse_rfc3339(text))
        check(*time);
    else
        require(!time.error().message().empty(), "a refusal says why");
    return 0;
}

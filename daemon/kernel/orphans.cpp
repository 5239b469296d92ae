// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/orphans.h"

#include <charconv>
#include <fstream>
#include <iterator>
#include <string>

namespace ballast::kernel {

namespace {

std::uint64_t number_at(std::string_view text) {
    std::uint64_t number = 0;
    (void)std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

std::string content_of(const char* path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace

Orphans parse_orphans(std::string_view sockstat, std::string_view most) {
    constexpr std::string_view word = " orphan ";
    const auto line = sockstat.find("TCP:");
    const auto found = line == std::string_view::npos ? line : sockstat.find(word, line);
    if (found == std::string_view::npos)
        return {};
    return {.count = number_at(sockstat.substr(found + word.size())), .most = number_at(most)};
}

Orphans read_orphans() {
    return parse_orphans(content_of("/proc/net/sockstat"),
                         content_of("/proc/sys/net/ipv4/tcp_max_orphans"));
}

} // namespace ballast::kernel

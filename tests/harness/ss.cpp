// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/ss.h"

#include <algorithm>
#include <sstream>

#include "tests/harness/check.h"

namespace ballast::test {

namespace {

/// "10.0.0.1:80", "[fd77::2]:80", "[::ffff:10.0.0.1]:80", "10.0.0.1%lo:80", "*:*".
Dest parse_dest(const std::string& text) {
    const auto colon = text.rfind(':');
    check(colon != std::string::npos, "ss prints ADDRESS:PORT, not " + text);
    const auto port = text.substr(colon + 1);
    auto host = text.substr(0, colon);
    std::erase_if(host, [](char c) { return c == '[' || c == ']'; });
    host = host.substr(0, host.find('%'));
    if (host.starts_with("::ffff:") && host.find('.') != std::string::npos)
        host = host.substr(7);
    return {host, static_cast<std::uint16_t>(port == "*" ? 0 : std::stoul(port))};
}

SsRow parse_row(const std::string& line) {
    std::istringstream words(line);
    SsRow row;
    std::string receive_queue, send_queue, local, remote;
    words >> row.state >> receive_queue >> send_queue >> local >> remote;
    row.local = parse_dest(local);
    row.remote = parse_dest(remote);
    const auto inode = line.find("ino:");
    row.owned = inode != std::string::npos && line[inode + 4] != '0';
    return row;
}

template <typename Wanted>
unsigned count(int namespace_fd, Wanted wanted) {
    const auto rows = ss(namespace_fd);
    return static_cast<unsigned>(std::count_if(rows.begin(), rows.end(), wanted));
}

} // namespace

std::vector<SsRow> ss(int namespace_fd) {
    std::istringstream lines(run_ok({.argv = {"ss", "-taneH"}, .network_namespace = namespace_fd}));
    std::vector<SsRow> rows;
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty() && !line.starts_with("LISTEN"))
            rows.push_back(parse_row(line));
    }
    return rows;
}

unsigned ss_count(int namespace_fd, const Dest& remote, const std::string& state) {
    return count(namespace_fd,
                 [&](const SsRow& row) { return row.remote == remote && row.state == state; });
}

unsigned ss_held(int namespace_fd, const Dest& remote) {
    return count(namespace_fd, [&](const SsRow& row) {
        const bool minisocket =
            row.state == "TIME-WAIT" || (row.state == "FIN-WAIT-2" && !row.owned);
        return row.remote == remote && !minisocket;
    });
}

unsigned ss_served(int namespace_fd, const Dest& local, const std::string& state) {
    return count(namespace_fd,
                 [&](const SsRow& row) { return row.local == local && row.state == state; });
}

} // namespace ballast::test

// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/socket_counts.h"

#include <array>
#include <charconv>

#include <fcntl.h>
#include <unistd.h>

#include "daemon/util/net_namespace.h"

namespace ballast::kernel {

namespace {

/// The rest of the line that begins with `prefix`; empty: there is none.
std::string_view line_after(std::string_view text, std::string_view prefix) {
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        if (line.starts_with(prefix))
            return line.substr(prefix.size());
        text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    return {};
}

/// The number behind `name` among the pairs of a line, "inuse 5 orphan 0 tw 3"; 0: there is none.
std::uint64_t number_of(std::string_view line, std::string_view name) {
    const auto at = line.find(name);
    std::uint64_t number = 0;
    if (at != std::string_view::npos)
        std::from_chars(line.data() + at + name.size(), line.data() + line.size(), number);
    return number;
}

/// A whole file of /proc. An IPv6 that the kernel lacks reads as nothing.
Result<std::string> read_whole(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file && errno == ENOENT && path.ends_with('6'))
        return std::string();
    std::array<char, 4096> text{}; // the files have some 300 bytes
    const ssize_t got = file ? ::read(file.get(), text.data(), text.size()) : -1;
    if (got < 0)
        return fail(Error::system(fmt::format("read {}", path), errno));
    return std::string(text.data(), static_cast<std::size_t>(got));
}

Result<SocketCounts> read_counts(const std::string& directory) {
    const auto v4 = read_whole(directory + "/sockstat");
    if (!v4)
        return fail(v4.error());
    const auto v6 = read_whole(directory + "/sockstat6");
    return v6 ? parse_socket_counts(*v4, *v6) : fail(v6.error());
}

} // namespace

Result<SocketCounts> parse_socket_counts(std::string_view sockstat, std::string_view sockstat6) {
    const auto v4 = line_after(sockstat, "TCP: ");
    const auto v6 = line_after(sockstat6, "TCP6: ");
    if (v4.empty())
        return fail(Error("no line of TCP in sockstat"));
    return SocketCounts{.hashed = number_of(v4, "inuse ") + number_of(v6, "inuse "),
                        .time_wait = number_of(v4, "tw ")};
}

Result<SocketCounts> count_sockets(const NetNamespace& space, const std::string& proc) {
    constexpr std::string_view link = "/ns/net";
    const std::string_view path = space.path;
    if (path.starts_with(proc) && path.ends_with(link))
        return read_counts(std::string(path.substr(0, path.size() - link.size())) + "/net");
    const auto mount = space.open();
    if (!mount)
        return fail(mount.error());
    Result<SocketCounts> counts;
    const auto been =
        in_net_namespace(mount->get(), [&] { counts = read_counts(proc + "/thread-self/net"); });
    return been ? counts : fail(been.error());
}

} // namespace ballast::kernel

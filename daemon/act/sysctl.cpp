// SPDX-License-Identifier: Apache-2.0
#include "daemon/act/sysctl.h"

#include <array>
#include <sstream>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/util/fd.h"
#include "daemon/util/net_namespace.h"

namespace ballast::act {

namespace {

constexpr auto proc = "/proc";

std::string path_of(const std::string& name) {
    return "/proc/sys/" + name;
}

/// Whether the thread is in the namespace with that cookie.
Result<void> check_cookie(const kernel::NetNamespace& where, std::uint64_t cookie) {
    const auto here = own_space();
    if (!here)
        return fail(here.error());
    if (cookie != 0 && here->cookie != cookie)
        return fail(
            Error(fmt::format("network namespace {} is another one by now", where.inode), ESTALE));
    return {};
}

} // namespace

Result<void> in_space(kernel::NetNamespace& where, std::uint64_t cookie,
                      const std::function<void()>& act) {
    const auto found = kernel::where_it_is_now(where, proc);
    if (!found)
        return fail(found.error());
    if (!*found)
        return fail(
            Error(fmt::format("nobody lives in network namespace {}", where.inode), ENOENT));
    where = **found;
    const auto file = where.open();
    if (!file)
        return fail(file.error());
    Result<void> outcome;
    const auto entered = in_net_namespace(file->get(), [&] {
        outcome = check_cookie(where, cookie);
        if (outcome)
            act();
    });
    return entered ? outcome : entered;
}

Result<Space> own_space() {
    struct stat status {};
    if (::stat("/proc/thread-self/ns/net", &status))
        return fail(Error::system("look at the own network namespace", errno));
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    Space space{static_cast<std::uint32_t>(status.st_ino), 0};
    socklen_t size = sizeof space.cookie;
    if (!socket ||
        ::getsockopt(socket.get(), SOL_SOCKET, SO_NETNS_COOKIE, &space.cookie, &size) != 0)
        return fail(Error::system("getsockopt(SO_NETNS_COOKIE)", errno));
    return space;
}

Result<std::string> read_sysctl(const std::string& name) {
    const Fd file(::open(path_of(name).c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 256> text{};
    const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : -1;
    if (size < 0)
        return fail(Error::system("read " + path_of(name), errno));
    std::istringstream words(std::string(text.data(), static_cast<std::size_t>(size)));
    std::string value, word;
    while (words >> word)
        value += (value.empty() ? "" : " ") + word;
    return value;
}

Result<void> write_sysctl(const std::string& name, const std::string& value) {
    const Fd file(::open(path_of(name).c_str(), O_WRONLY | O_CLOEXEC));
    const ssize_t size = file ? ::write(file.get(), value.data(), value.size()) : -1;
    if (size != static_cast<ssize_t>(value.size()))
        return fail(Error::system(fmt::format("write \"{}\" to {}", value, path_of(name)), errno));
    return {};
}

} // namespace ballast::act

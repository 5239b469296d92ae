// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/http.h"

#include <cctype>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>

#include "daemon/util/fd.h"
#include "tests/harness/sandbox.h"

namespace ballast::test {

namespace {

Fd open_socket(const std::string& path) {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{patience().count() / 1000, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const auto* to = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(socket.get(), to, sizeof address) != 0)
        socket.reset();
    return socket;
}

std::string read_all(const Fd& socket) {
    std::string text;
    char buffer[16384];
    for (ssize_t got = 0; (got = ::recv(socket.get(), buffer, sizeof buffer, 0)) > 0;)
        text.append(buffer, static_cast<std::size_t>(got));
    return text;
}

} // namespace

HttpAnswer http_request(const std::string& socket_path, const std::string& method,
                        const std::string& target) {
    const Fd socket = open_socket(socket_path);
    const auto request = fmt::format(
        "{} {} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", method,
        target);
    if (!socket || ::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0)
        return {};
    const auto text = read_all(socket);
    const auto body = text.find("\r\n\r\n");
    if (!text.starts_with("HTTP/1.1 ") || body == std::string::npos)
        return {};
    return {std::atoi(text.c_str() + 9), text.substr(body + 4)};
}

std::string url_encoded(const std::string& text) {
    std::string encoded;
    for (const char c : text) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0)
            encoded += c;
        else
            encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return encoded;
}

} // namespace ballast::test

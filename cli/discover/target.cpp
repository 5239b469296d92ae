// SPDX-License-Identifier: Apache-2.0
#include "cli/discover/target.h"

#include <cerrno>
#include <cstring>
#include <memory>

#include <netdb.h>
#include <netinet/in.h>

namespace ballast::cli {
namespace {

Error malformed(std::string_view text) {
    return Error(fmt::format("'{}' is not HOST:PORT", text))
        .hint("as in db.internal:5432, 10.0.0.5:5432 or [2001:db8::5]:5432");
}

Peer peer_of(const addrinfo& info) {
    Peer peer;
    std::memcpy(&peer.address, info.ai_addr, info.ai_addrlen);
    peer.length = info.ai_addrlen;
    auto* bytes = peer.endpoint.address.bytes.data();
    if (info.ai_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, info.ai_addr, sizeof v6);
        std::memcpy(bytes, &v6.sin6_addr, sizeof v6.sin6_addr);
        peer.endpoint.port = ntohs(v6.sin6_port);
        return peer;
    }
    sockaddr_in v4{};
    std::memcpy(&v4, info.ai_addr, sizeof v4);
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(bytes + 12, &v4.sin_addr, sizeof v4.sin_addr);
    peer.endpoint.port = ntohs(v4.sin_port);
    return peer;
}

std::string failure_text(int code) {
    return code == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(code);
}

} // namespace

Result<Target> parse_target(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos)
        return fail(malformed(text));
    std::string_view host = text.substr(0, colon);
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed)
        host = host.substr(1, host.size() - 2);
    if (host.empty() || (!bracketed && host.find(':') != std::string_view::npos))
        return fail(malformed(text));
    const auto port = parse_port(text.substr(colon + 1));
    if (!port)
        return fail(port.error().context(fmt::format("'{}'", text)).hint("ports are 1..65535"));
    return Target{std::string(host), *port};
}

Result<std::vector<Peer>> resolve(const Target& target) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* first = nullptr;
    const int code =
        ::getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &first);
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(first, &::freeaddrinfo);
    if (code != 0)
        return fail(Error(fmt::format("looking up {}: {}", target.host, failure_text(code)))
                        .hint("give an address, or look at /etc/hosts and /etc/resolv.conf"));
    std::vector<Peer> peers;
    for (const addrinfo* info = first; info != nullptr; info = info->ai_next)
        if (info->ai_family == AF_INET || info->ai_family == AF_INET6)
            peers.push_back(peer_of(*info));
    if (peers.empty())
        return fail(Error(fmt::format("looking up {}: it has no IP address", target.host)));
    return peers;
}

} // namespace ballast::cli

// SPDX-License-Identifier: Apache-2.0
#include "daemon/resolve/lookup.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace ballast {
namespace {

struct Free {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

std::optional<Address> address_of(const sockaddr* from) {
    Address out;
    if (from->sa_family == AF_INET6) {
        std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(from)->sin6_addr, 16);
        return out;
    }
    if (from->sa_family != AF_INET)
        return std::nullopt;
    out.bytes[10] = out.bytes[11] = 0xff;
    std::memcpy(&out.bytes[12], &reinterpret_cast<const sockaddr_in*>(from)->sin_addr, 4);
    return out;
}

} // namespace

Lookup look_up(const std::string& host) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM; // each address once
    addrinfo* found = nullptr;
    const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    const int system_error = errno;
    const std::unique_ptr<addrinfo, Free> list(found);
    Lookup out{host, {}, {}};
    if (error != 0) {
        out.error = error == EAI_SYSTEM ? std::strerror(system_error) : ::gai_strerror(error);
        return out;
    }
    for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next)
        if (const auto address = address_of(entry->ai_addr))
            out.addresses.push_back(*address);
    if (out.addresses.empty())
        out.error = "it has no address";
    return out;
}

} // namespace ballast

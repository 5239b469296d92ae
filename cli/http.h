// SPDX-License-Identifier: Apache-2.0
// One HTTP exchange over a Unix socket, by libcurl.
#pragma once

#include <string>
#include <string_view>

#include "daemon/util/error.h"

namespace ballast::cli {

struct HttpReply {
    long status = 0; ///< of HTTP
    std::string content_type;
    std::string body;
};

/// `path` is percent-encoded and may have a query. Waits at most 2 s for the connection and 30 s in
/// all, and takes at most 64 MiB. Fails where no answer came; errno_value() is that of connect().
Result<HttpReply> http_exchange(const std::string& socket_path, const std::string& method,
                                const std::string& path, const std::string& body = {});

/// Everything but unreserved characters (RFC 3986 section 2.3) as %XX.
std::string percent_encode(std::string_view text);

} // namespace ballast::cli

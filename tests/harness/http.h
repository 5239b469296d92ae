// SPDX-License-Identifier: Apache-2.0
// The API as any program may ask it, without the cost of a new `ballast` process each time.
#pragma once

#include <string>

namespace ballast::test {

struct HttpAnswer {
    int status = 0; ///< 0: no answer
    std::string body;
};

/// One request over a Unix socket; `target` is the path with its query, encoded.
HttpAnswer http_request(const std::string& socket_path, const std::string& method,
                        const std::string& target);

/// Everything but letters and digits as %XX.
std::string url_encoded(const std::string& text);

} // namespace ballast::test

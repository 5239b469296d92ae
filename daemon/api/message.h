// SPDX-License-Identifier: Apache-2.0
// One request and its answer, free of any HTTP library.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/api/query.h"

namespace ballast::api {

/// The largest request body that is taken; longer ones are answered with 413.
constexpr std::size_t kMaxBodyBytes = std::size_t{64} * 1024;

struct Request {
    std::string method; ///< upper case
    std::string path;   ///< percent-decoded, without the query
    QueryPairs query;
    std::string body;
    std::string peer;          ///< who asks, "root (uid 0)"; empty where it is not known
    bool writable = false;     ///< it came over control.sock
    bool body_too_big = false; ///< `body` was cut off at kMaxBodyBytes
};

struct Later;

struct Response {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::string allow;      ///< value of the Allow header; empty: none
    bool then_stop = false; ///< ask the backend to stop once this has been sent
    /// The condition to wait for before this is sent; null: none.
    std::shared_ptr<const Later> later;
};

/// A condition that one answer waits for; nothing else waits meanwhile.
struct Later {
    std::function<bool()> is_over; ///< asked often
    std::chrono::milliseconds patience;
    /// The answer in place of the one that had to wait, made when it is over or `patience` is.
    std::function<Response()> answer;
};

/// An answer of the error form. `code` is a stable word for programs.
Response error_response(unsigned status, std::string_view code, const Error& error);

} // namespace ballast::api

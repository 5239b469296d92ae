// SPDX-License-Identifier: Apache-2.0
#include "cli/http.h"

#include <cctype>
#include <cerrno>
#include <cstddef>
#include <memory>

#include <curl/curl.h>

namespace ballast::cli {
namespace {

constexpr long kConnectTimeoutMs = 2'000;
constexpr long kTotalTimeoutMs = 30'000;
constexpr std::size_t kMaxReplyBytes = std::size_t{64} * 1024 * 1024;

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

/// Returning less than was given makes libcurl stop with CURLE_WRITE_ERROR.
std::size_t collect(char* data, std::size_t, std::size_t size, void* to) {
    auto& body = *static_cast<std::string*>(to);
    if (body.size() + size > kMaxReplyBytes)
        return 0;
    body.append(data, size);
    return size;
}

/// An address longer than libcurl takes is refused by it with a message of its own.
void set_target(CURL* curl, const std::string& socket_path, const std::string& url) {
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path.c_str());
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); // whatever the environment says
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, kTotalTimeoutMs);
}

void set_request(CURL* curl, const std::string& method, const std::string& body) {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
    if (method == "HEAD")
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (method == "GET" || method == "HEAD")
        return;
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
}

Error exchange_error(CURL* curl, CURLcode code, const std::string& socket_path) {
    long os_errno = 0;
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_errno);
    if (code == CURLE_COULDNT_CONNECT && os_errno != 0)
        return Error::system("connect to " + socket_path, static_cast<int>(os_errno));
    return Error(fmt::format("talking to {}: {}", socket_path, curl_easy_strerror(code)));
}

HttpReply finished(CURL* curl, std::string body) {
    HttpReply reply{0, {}, std::move(body)};
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.status);
    const char* type = nullptr;
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    reply.content_type = type != nullptr ? type : "";
    return reply;
}

} // namespace

Result<HttpReply> http_exchange(const std::string& socket_path, const std::string& method,
                                const std::string& path, const std::string& body) {
    curl_global_init(CURL_GLOBAL_NOTHING); // no TLS
    const Handle curl(curl_easy_init(), &curl_easy_cleanup);
    if (curl == nullptr)
        return fail(Error("libcurl did not start", ENOMEM));
    // a name, not an address, so that the Host header reads well in traces
    set_target(curl.get(), socket_path, "http://localhost" + path);
    set_request(curl.get(), method, body);
    const Headers headers(curl_slist_append(nullptr, "Content-Type: application/json"),
                          &curl_slist_free_all);
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    std::string received;
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &collect);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &received);
    if (const CURLcode code = curl_easy_perform(curl.get()); code != CURLE_OK)
        return fail(exchange_error(curl.get(), code, socket_path));
    return finished(curl.get(), std::move(received));
}

std::string percent_encode(std::string_view text) {
    // No handle is needed since 7.82 (curl_easy_escape(3)).
    const std::unique_ptr<char, decltype(&curl_free)> escaped(
        curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())), &curl_free);
    if (!escaped)
        throw std::bad_alloc();
    return escaped.get();
}

} // namespace ballast::cli

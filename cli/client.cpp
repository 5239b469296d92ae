// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"

#include <cerrno>
#include <string_view>

#include "cli/http.h"
#include "cli/human.h"

namespace ballast::cli {
namespace {

constexpr int kSchema = 1;
constexpr std::size_t kMaxShownBytes = 200;

bool nobody_listens(int errno_value) {
    return errno_value == ENOENT || errno_value == ECONNREFUSED;
}

Failure unreachable(const Error& error, const std::string& socket_path) {
    if (nobody_listens(error.errno_value()))
        return {exit_unreachable,
                Error::system("ballastd is not running at " + socket_path, error.errno_value())
                    .hint("start it with `systemctl start ballastd` or `ballastd`, or pass "
                          "--runtime-dir")};
    if (error.errno_value() == EACCES)
        return {exit_unreachable, error.hint("be root; members of group ballast may read")};
    return {exit_unreachable, error.hint("its log says more: journalctl -u ballastd")};
}

ExitCode exit_code_of(long status) {
    switch (status) {
    case 400:
        return exit_usage;
    case 404:
        return exit_not_found;
    default:
        return exit_failed;
    }
}

std::string string_at(const Json& document, const char* pointer, const std::string& otherwise) {
    const Json::json_pointer where(pointer);
    const bool found = document.is_object() && document.contains(where);
    return found && document.at(where).is_string() ? document.at(where).get<std::string>()
                                                   : otherwise;
}

/// Reads the API's error form; an answer of any other form is shown as it is, cut short.
Failure refused(const HttpReply& reply, const Json& document) {
    const std::string fallback = fmt::format("the daemon answered {} {}", reply.status,
                                             harmless(reply.body.substr(0, kMaxShownBytes)));
    const Error error = Error(string_at(document, "/error/message", fallback))
                            .hint(string_at(document, "/error/hint", ""));
    return {exit_code_of(reply.status), error};
}

Outcome<Json> read(const HttpReply& reply) {
    Json document = Json::parse(reply.body, nullptr, false);
    if (reply.status != 200)
        return tl::unexpected(refused(reply, document));
    if (!document.is_object() || document.value("schema", 0) != kSchema)
        return fail_with(exit_failed,
                         Error("the daemon answers in a form this ballast does not "
                               "know")
                             .hint("install the same version of ballast and ballastd"));
    return document;
}

Outcome<Json> exchange(const std::string& socket_path, const std::string& method,
                       const std::string& path, const std::string& body) {
    const auto reply = http_exchange(socket_path, method, path, body);
    if (!reply)
        return tl::unexpected(unreachable(reply.error(), socket_path));
    return read(*reply);
}

} // namespace

Outcome<Json> Client::get(const std::string& path, const Query& query) const {
    std::string target = path;
    for (const auto& [name, value] : query)
        target += fmt::format("{}{}={}", target.size() == path.size() ? '?' : '&',
                              percent_encode(name), percent_encode(value));
    return exchange(runtime_dir_ + "/query.sock", "GET", target, {});
}

Outcome<Json> Client::write(const std::string& method, const std::string& path,
                            const Json& body) const {
    return exchange(runtime_dir_ + "/control.sock", method, path,
                    body.is_null() ? std::string() : body.dump());
}

} // namespace ballast::cli

// SPDX-License-Identifier: Apache-2.0
// The one result type. A function that can fail returns Result<T>; exceptions are only for
// "cannot start". An Error says what was tried, on what, what the system said, and what to do.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <tl/expected.hpp>

namespace ballast {

class [[nodiscard]] Error {
public:
    explicit Error(std::string message, int errno_value = 0)
        : message_(std::move(message)), errno_(errno_value) {}

    /// The failure of a system call: `tried` names the call and its object
    /// ("bpf(BPF_MAP_CREATE) of map slots"), `errno_value` is a positive errno.
    static Error system(std::string_view tried, int errno_value) {
        return Error(fmt::format("{}: {}", tried, std::strerror(errno_value)), errno_value);
    }

    /// Prefixes what the caller was doing; the innermost cause stays last.
    [[nodiscard]] Error context(std::string_view doing) const {
        return Error(fmt::format("{}: {}", doing, message_), errno_, hint_);
    }

    /// Adds what the operator can do about it; shown after the message.
    [[nodiscard]] Error hint(std::string_view advice) const {
        return Error(message_, errno_, std::string(advice));
    }

    [[nodiscard]] const std::string& message() const { return message_; }
    [[nodiscard]] const std::string& hint() const { return hint_; }

    /// Positive errno of the innermost system call, or 0 when none was involved.
    [[nodiscard]] int errno_value() const { return errno_; }

    /// Message and hint in one line, as logged and as printed by the CLI.
    [[nodiscard]] std::string text() const {
        return hint_.empty() ? message_ : fmt::format("{} ({})", message_, hint_);
    }

private:
    Error(std::string message, int errno_value, std::string hint)
        : message_(std::move(message)), hint_(std::move(hint)), errno_(errno_value) {}

    std::string message_;
    std::string hint_;
    int errno_;
};

template <typename T>
using Result = tl::expected<T, Error>;

/// Shorthand for returning a failure from a function that yields Result<T>.
inline tl::unexpected<Error> fail(Error error) {
    return tl::unexpected<Error>(std::move(error));
}

} // namespace ballast

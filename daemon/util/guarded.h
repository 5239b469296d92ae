// SPDX-License-Identifier: Apache-2.0
// A value that threads share, accessible only with its lock.
#pragma once

#include <mutex>
#include <utility>

namespace ballast {

template <typename T>
class Guarded {
public:
    template <typename... Arguments>
    explicit Guarded(Arguments&&... arguments) : value_(std::forward<Arguments>(arguments)...) {}

    /// Holds the lock for as long as it lives, so it is best kept for one expression. Its holder
    /// must not ask for another, nor do anything that may wait for a socket.
    class Access {
    public:
        T* operator->() const { return value_; }
        T& operator*() const { return *value_; }

    private:
        friend class Guarded;
        Access(std::mutex& mutex, T& value) : lock_(mutex), value_(&value) {}
        std::unique_lock<std::mutex> lock_;
        T* value_;
    };

    [[nodiscard]] Access lock() { return Access(mutex_, value_); }

    /// A copy of the value.
    [[nodiscard]] T get() const {
        const std::scoped_lock lock(mutex_);
        return value_;
    }
    void set(T value) {
        const std::scoped_lock lock(mutex_);
        value_ = std::move(value);
    }

private:
    mutable std::mutex mutex_;
    T value_;
};

} // namespace ballast

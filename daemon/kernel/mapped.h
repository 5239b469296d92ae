// SPDX-License-Identifier: Apache-2.0
// A BPF array map seen as memory: programs and daemon work on the same words, without a system
// call.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>

#include "daemon/util/error.h"

namespace ballast::kernel {

/// Owns one mapping of a BPF_F_MMAPABLE array of T; unmapped when destroyed.
template <typename T>
class Mapped {
public:
    Mapped() = default;
    ~Mapped() { unmap(); }
    Mapped(Mapped&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), count_(std::exchange(other.count_, 0)) {}
    Mapped& operator=(Mapped&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(count_, other.count_);
        return *this;
    }
    Mapped(const Mapped&) = delete;
    Mapped& operator=(const Mapped&) = delete;

    /// Maps all `count` elements of the array behind `map_fd`, for reading and writing.
    static Result<Mapped> open(int map_fd, std::size_t count, const char* name) {
        static_assert(sizeof(T) % 8 == 0, "the kernel rounds elements up to 8 bytes");
        void* memory =
            ::mmap(nullptr, length(count), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
        if (memory == MAP_FAILED)
            return fail(Error::system(fmt::format("mmap of BPF map {}", name), errno));
        Mapped mapped;
        mapped.data_ = static_cast<T*>(memory);
        mapped.count_ = count;
        return mapped;
    }

    [[nodiscard]] std::span<T> all() const { return {data_, count_}; }
    [[nodiscard]] T& operator[](std::size_t index) const { return data_[index]; }
    [[nodiscard]] T* operator->() const { return data_; }

private:
    static std::size_t length(std::size_t count) {
        const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        return (sizeof(T) * count + page - 1) / page * page;
    }
    void unmap() {
        if (data_)
            ::munmap(data_, length(count_));
    }

    T* data_ = nullptr;
    std::size_t count_ = 0;
};

} // namespace ballast::kernel

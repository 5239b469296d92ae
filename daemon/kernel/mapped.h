// SPDX-License-Identifier: Apache-2.0
// A BPF array map seen as memory: programs and daemon work on the same words, without a system
// call.
//
// The kernel enters every page of such a mapping at once (kernel/bpf/arraymap.c, array_map_mmap():
// remap_vmalloc_range()), so that a large table counts in full as the daemon's memory, however
// little of it is in use. A table that fills from its beginning is therefore mapped as far as it
// was asked for; addresses for all of it are set aside first, so nothing ever moves.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <stdexcept>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>

#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::kernel {

/// Sets a word that programs read while they run, where no order with other words matters.
inline void store_relaxed(std::uint32_t& word, std::uint32_t value) {
    __atomic_store_n(&word, value, __ATOMIC_RELAXED);
}

/// Owns one mapping of a BPF_F_MMAPABLE array of T; unmapped when destroyed. Threads may share it.
/// Mapping more of it is an allocation, and fails as one: std::bad_alloc.
template <typename T>
class Mapped {
public:
    Mapped() = default;
    ~Mapped() {
        if (fd_)
            ::munmap(data_, length());
    }
    Mapped(Mapped&& other) noexcept { swap(other); }
    Mapped& operator=(Mapped&& other) noexcept {
        swap(other);
        return *this;
    }
    Mapped(const Mapped&) = delete;
    Mapped& operator=(const Mapped&) = delete;

    /// Maps all `count` elements of the array behind `map_fd`, for reading and writing.
    static Result<Mapped> open(int map_fd, std::size_t count, const char* name) {
        return reserve(map_fd, count, name).and_then([&](Mapped mapped) -> Result<Mapped> {
            if (!mapped.map_to(mapped.length()))
                return fail(Error::system(fmt::format("mmap of BPF map {}", name), errno));
            return mapped;
        });
    }

    /// Maps of the `count` elements as many as are asked for, and some more.
    static Result<Mapped> reserve(int map_fd, std::size_t count, const char* name) {
        static_assert(sizeof(T) % 8 == 0, "the kernel rounds elements up to 8 bytes");
        Mapped mapped;
        mapped.count_ = count;
        mapped.fd_ = Fd(::dup(map_fd));
        if (!mapped.fd_)
            return fail(Error::system(fmt::format("dup of BPF map {}", name), errno));
        void* const memory =
            ::mmap(nullptr, mapped.length(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            const int error = errno;
            mapped.fd_.reset();
            return fail(Error::system(fmt::format("set aside memory for BPF map {}", name), error));
        }
        mapped.data_ = static_cast<T*>(memory);
        if (!mapped.map_to(page()))
            return fail(Error::system(fmt::format("mmap of BPF map {}", name), errno));
        return mapped;
    }

    /// The same over memory of the caller's, which must outlive it.
    static Mapped over(std::span<T> memory) {
        Mapped mapped;
        mapped.data_ = memory.data();
        mapped.count_ = memory.size();
        mapped.mapped_ = memory.size_bytes();
        return mapped;
    }

    /// How many elements the array has, in use or not.
    [[nodiscard]] std::size_t size() const { return count_; }

    /// The first `count` elements, or all there are.
    [[nodiscard]] std::span<T> first(std::size_t count) const {
        count = std::min(count, count_);
        need(count);
        return {data_, count};
    }
    [[nodiscard]] std::span<T> all() const { return first(count_); }
    /// Throws std::out_of_range for an element that the array does not have.
    [[nodiscard]] T& operator[](std::size_t index) const {
        if (index >= count_)
            throw std::out_of_range("element of a BPF map");
        need(index + 1);
        return data_[index];
    }
    [[nodiscard]] T* operator->() const { return &(*this)[0]; }

private:
    static std::size_t page() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }
    [[nodiscard]] std::size_t length() const {
        return (sizeof(T) * count_ + page() - 1) / page() * page();
    }

    void need(std::size_t count) const {
        const std::size_t mapped = mapped_.load(std::memory_order_acquire);
        if (count * sizeof(T) <= mapped)
            return;
        const std::size_t wanted = std::max(count * sizeof(T), 2 * mapped);
        if (!map_to(std::min(length(), (wanted + page() - 1) / page() * page())))
            throw std::bad_alloc();
    }

    /// end: bytes, a multiple of a page. Two threads may map the same pages at once: the second
    /// mapping takes the place of the first in one step, and shows the same memory.
    [[nodiscard]] bool map_to(std::size_t end) const {
        std::size_t from = mapped_.load(std::memory_order_acquire);
        auto* const at = reinterpret_cast<std::byte*>(data_) + from;
        if (end > from && ::mmap(at, end - from, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                                 fd_.get(), static_cast<off_t>(from)) == MAP_FAILED)
            return false;
        while (from < end && !mapped_.compare_exchange_weak(from, end, std::memory_order_release)) {
        }
        return true;
    }

    void swap(Mapped& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(count_, other.count_);
        other.mapped_ = mapped_.exchange(other.mapped_);
        std::swap(fd_, other.fd_);
    }

    T* data_ = nullptr;
    std::size_t count_ = 0;
    mutable std::atomic<std::size_t> mapped_{0}; ///< bytes
    Fd fd_;                                      ///< of the map; none over memory of the caller's
};

} // namespace ballast::kernel

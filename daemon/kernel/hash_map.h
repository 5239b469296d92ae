// SPDX-License-Identifier: Apache-2.0
// Reading a BPF hash map as a whole.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

#include <bpf/bpf.h>

#include "daemon/util/error.h"

namespace ballast::kernel {

/// Every element of the map behind `fd`, in no order; what changes meanwhile may be missing, or
/// there twice. Keys and values are of the map's own sizes. `name` is for the error.
template <typename Key, typename Value>
Result<std::vector<std::pair<Key, Value>>> read_hash_map(int fd, const char* name) {
    constexpr std::uint32_t at_a_time = 4096; // longer than any chain of the map
    std::vector<Key> keys(at_a_time);
    std::vector<Value> values(at_a_time);
    std::vector<std::pair<Key, Value>> all;
    std::uint32_t batch = 0; // the kernel's own: a bucket's number
    for (bool is_first = true;; is_first = false) {
        std::uint32_t count = at_a_time;
        const int failed = ::bpf_map_lookup_batch(fd, is_first ? nullptr : &batch, &batch,
                                                  keys.data(), values.data(), &count, nullptr);
        const int error = failed ? errno : 0;
        if (error != 0 && error != ENOENT)
            return fail(Error::system(fmt::format("read map {}", name), error));
        for (std::uint32_t i = 0; i < count; ++i)
            all.emplace_back(keys[i], values[i]);
        if (error == ENOENT)
            return all;
    }
}

} // namespace ballast::kernel

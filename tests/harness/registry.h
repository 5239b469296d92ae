// SPDX-License-Identifier: Apache-2.0
// Resources of the running test. cmocka's failing asserts longjmp over destructors, so a test keeps
// its resources here and only references to them in its variables; the teardown destroys them,
// newest first, whether the test passed or not.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace ballast::test {

class Registry {
public:
    static Registry& current();

    /// Constructs a T that lives until the end of the running test.
    template <typename T, typename... Args>
    T& make(Args&&... args) {
        auto owned = std::make_shared<T>(std::forward<Args>(args)...);
        held_.push_back(owned);
        return *owned;
    }

    /// Called when a test fails before anything is destroyed: shows evidence.
    void on_failure(std::function<void()> show) { evidence_.push_back(std::move(show)); }

    /// Resources made from here on belong to one test, earlier ones to all of them.
    void begin();
    void finish(bool passed);
    void finish_all(bool passed);

private:
    std::size_t shared_held_ = 0;
    std::size_t shared_evidence_ = 0;
    std::vector<std::shared_ptr<void>> held_;
    std::vector<std::function<void()>> evidence_;
};

/// Shorthand for Registry::current().make<T>().
template <typename T, typename... Args>
T& make(Args&&... args) {
    return Registry::current().make<T>(std::forward<Args>(args)...);
}

} // namespace ballast::test

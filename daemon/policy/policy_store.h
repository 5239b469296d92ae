// SPDX-License-Identifier: Apache-2.0
// What of the policy outlives a restart: overrides, and the last good answers of DNS names. It is
// in memory here; another thread writes the file, whose file system may be slow or frozen while the
// main thread has a heartbeat to keep.
//
// A synchronous write is abandoned after `patience`: if it has not started it never will, and if it
// is under way it is undone afterwards, so file and memory agree in the end. Only if the process
// ends in between does the file keep it.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/model/answers.h"
#include "daemon/model/override.h"
#include "daemon/store/answer_store.h"
#include "daemon/store/store.h"
#include "daemon/util/error.h"
#include "daemon/util/loop_thread.h"

namespace ballast::policy {

class PolicyStore {
public:
    /// While the daemon serves: less than the shortest daemon_grace. Until then nobody else waits,
    /// and disks are busy while a host boots.
    static constexpr std::chrono::milliseconds patience{500};
    static constexpr std::chrono::milliseconds patience_at_start{10'000};

    /// `store` is that of `file`. Overrides that cannot be read are logged, and then none can be
    /// set. `writer` must have ended before the store is destroyed.
    PolicyStore(Store store, std::filesystem::path file, LoopThread& writer);

    /// The daemon serves from now on.
    void start_serving() { patience_ = patience; }

    /// All stored ones, oldest first.
    [[nodiscard]] const std::vector<Override>& overrides() const { return overrides_; }
    /// Adds or replaces one. On failure nothing has changed.
    Result<void> put_override(const Override& wanted);
    /// False: there was none for that target. On failure nothing has changed.
    Result<bool> remove_override(const std::string& target);
    /// Removes one that has expired; nobody waits for it.
    void forget_override(const std::string& target);

    /// The answers from before this start. Waits for the file.
    Result<Answers> recall_answers();
    /// Replaces what is kept of the name; nobody waits for it, as for the next one.
    void put_answer(const std::string& host, const Answer& answer);
    /// Forgets all other names.
    void keep_answers(const std::vector<std::string>& hosts);

private:
    [[nodiscard]] Result<void> check_readable() const;
    Result<void> write(std::function<Result<void>()> job);
    void sync(const std::vector<Override>& wanted);

    std::vector<Override> overrides_;
    bool is_readable_ = false; ///< overrides_ is what the file has
    std::chrono::milliseconds patience_ = patience_at_start;
    // Of the thread:
    Store store_;
    std::optional<AnswerStore> answers_;
    std::filesystem::path file_;
    LoopThread& thread_;
};

} // namespace ballast::policy

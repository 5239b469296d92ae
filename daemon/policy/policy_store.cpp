// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/policy_store.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <utility>

#include "daemon/util/log.h"

namespace ballast::policy {

namespace {

void log_failure(const Result<void>& done) {
    if (!done)
        log::error("{}", done.error().text());
}

} // namespace

PolicyStore::PolicyStore(Store store, std::filesystem::path file, LoopThread& writer)
    : store_(std::move(store)), file_(std::move(file)), thread_(writer) {
    auto stored = store_.overrides();
    is_readable_ = stored.has_value();
    if (stored)
        overrides_ = std::move(*stored);
    else
        log::error("overrides are not applied: {}", stored.error().text());
}

/// Has the thread do `job` and waits for it. Given up under way, it is still done at some time:
/// what it changed is then made what memory has.
Result<void> PolicyStore::write(std::function<Result<void>()> job) {
    const auto too_slow = [&] {
        return fail(Error(fmt::format("{} could not be written within {} ms", file_.string(),
                                      patience_.count()))
                        .hint("nothing was changed; its file system is slow or frozen"));
    };
    if (thread_.busy_for() > patience_)
        return too_slow();
    struct Attempt {
        std::promise<Result<void>> outcome;
        std::atomic<bool> is_given_up = false;
    };
    const auto attempt = std::make_shared<Attempt>();
    auto done = attempt->outcome.get_future();
    thread_.post([job = std::move(job), attempt] {
        if (!attempt->is_given_up)
            attempt->outcome.set_value(job());
    });
    if (done.wait_for(patience_) == std::future_status::ready)
        return done.get();
    attempt->is_given_up = true;
    if (is_readable_)
        thread_.post([this, wanted = overrides_] { sync(wanted); });
    return too_slow();
}

Result<void> PolicyStore::check_readable() const {
    if (is_readable_)
        return {};
    return fail(Error(fmt::format("the overrides in {} could not be read", file_.string()))
                    .hint("the log says why; restart ballastd once that is corrected"));
}

/// In the thread.
void PolicyStore::sync(const std::vector<Override>& wanted) {
    const auto stored = store_.overrides();
    if (!stored)
        return log_failure(fail(stored.error()));
    for (const auto& row : *stored)
        if (std::ranges::find(wanted, row.target, &Override::target) == wanted.end())
            if (auto removed = store_.remove_override(row.target); !removed)
                log_failure(fail(removed.error()));
    for (const auto& row : wanted)
        if (std::ranges::find(*stored, row) == stored->end())
            log_failure(store_.put_override(row));
}

Result<void> PolicyStore::put_override(const Override& wanted) {
    if (auto readable = check_readable(); !readable)
        return readable;
    auto stored = write([this, wanted] { return store_.put_override(wanted); });
    if (!stored)
        return stored;
    std::erase_if(overrides_, [&](const Override& row) { return row.target == wanted.target; });
    overrides_.push_back(wanted);
    return {};
}

Result<bool> PolicyStore::remove_override(const std::string& target) {
    if (auto readable = check_readable(); !readable)
        return fail(readable.error());
    const auto found = std::ranges::find(overrides_, target, &Override::target);
    if (found == overrides_.end())
        return false;
    auto removed = write([this, target]() -> Result<void> {
        const auto done = store_.remove_override(target);
        return done ? Result<void>() : fail(done.error());
    });
    if (!removed)
        return fail(removed.error());
    overrides_.erase(found);
    return true;
}

void PolicyStore::forget_override(const std::string& target) {
    std::erase_if(overrides_, [&](const Override& row) { return row.target == target; });
    thread_.post([this, target] {
        if (const auto removed = store_.remove_override(target); !removed)
            log_failure(fail(removed.error()));
    });
}

Result<Answers> PolicyStore::recall_answers() {
    const auto found = std::make_shared<Answers>();
    auto read = write([this, found]() -> Result<void> {
        auto store = AnswerStore::open(file_);
        if (!store)
            return fail(store.error());
        auto stored = store->answers();
        answers_ = std::move(*store);
        if (!stored)
            return fail(stored.error());
        *found = std::move(*stored);
        return {};
    });
    if (!read)
        return fail(read.error());
    return *found;
}

void PolicyStore::put_answer(const std::string& host, const Answer& answer) {
    thread_.post([this, host, answer] {
        if (answers_)
            log_failure(answers_->put(host, answer));
    });
}

void PolicyStore::keep_answers(const std::vector<std::string>& hosts) {
    thread_.post([this, hosts] {
        if (answers_)
            log_failure(answers_->keep_only(hosts));
    });
}

} // namespace ballast::policy

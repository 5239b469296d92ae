// SPDX-License-Identifier: Apache-2.0
#include "daemon/findings/recent.h"

#include <algorithm>
#include <utility>

namespace ballast::findings {

Recent::Key Recent::key_of(const Finding& finding) {
    return {finding.reason, finding.kind,      finding.destination, finding.service,
            finding.netns,  finding.owner.pid, finding.acted};
}

void Recent::recall(std::vector<KeptFinding> saved, std::uint64_t given) {
    const std::size_t skip = saved.size() - std::min(saved.size(), most);
    for (std::size_t i = skip; i < saved.size(); ++i)
        entries_.push_back({.kept = std::move(saved.at(i)), .began = {}, .is_saved = true});
    last_id_ = std::max(given, entries_.empty() ? 0 : entries_.back().kept.id);
}

Recent::Entry* Recent::find(std::uint64_t id) {
    const auto at =
        std::ranges::lower_bound(entries_, id, {}, [](const Entry& e) { return e.kept.id; });
    return at != entries_.end() && at->kept.id == id ? &*at : nullptr;
}

void Recent::mark_unsaved(Entry& entry) {
    unsaved_ += entry.is_saved ? 1U : 0U;
    entry.is_saved = false;
}

bool Recent::coalesce(const Key& key, const Now& now) {
    const auto at = open_.find(key);
    Entry* entry = at == open_.end() ? nullptr : find(at->second);
    if (entry == nullptr || now.monotonic - entry->began >= window)
        return false;
    entry->kept.last = std::max(entry->kept.last, now.wall);
    ++entry->kept.coalesced;
    ++coalesced_;
    mark_unsaved(*entry);
    return true;
}

void Recent::make_room() {
    if (entries_.size() < most)
        return;
    const Entry& oldest = entries_.front();
    const auto at = open_.find(key_of(oldest.kept.what));
    if (at != open_.end() && at->second == oldest.kept.id)
        open_.erase(at);
    if (!oldest.is_saved) {
        ++lost_;
        --unsaved_;
    }
    entries_.pop_front();
}

void Recent::add(Finding finding, const Now& now) {
    Key key = key_of(finding);
    if (coalesce(key, now))
        return;
    make_room();
    open_.insert_or_assign(std::move(key), ++last_id_);
    entries_.push_back({.kept = {.id = last_id_,
                                 .at = now.wall,
                                 .last = now.wall,
                                 .coalesced = 0,
                                 .what = std::move(finding)},
                        .began = now.monotonic});
    ++unsaved_;
}

std::vector<KeptFinding> Recent::take_unsaved() {
    std::vector<KeptFinding> taken;
    if (unsaved_ == 0)
        return taken;
    taken.reserve(unsaved_);
    for (Entry& entry : entries_)
        if (!std::exchange(entry.is_saved, true))
            taken.push_back(entry.kept);
    unsaved_ = 0;
    return taken;
}

void Recent::put_back(const std::vector<KeptFinding>& taken) {
    for (const KeptFinding& one : taken) {
        if (Entry* entry = find(one.id))
            mark_unsaved(*entry);
        else
            ++lost_;
    }
}

FindingPage Recent::page(const FindingQuery& query) const {
    FindingPage page;
    page.last_id = last_id_;
    for (const Entry& entry : entries_) {
        if (!query.matches(entry.kept))
            continue;
        ++page.total;
        if (!query.after || page.rows.size() < query.limit)
            page.rows.push_back(entry.kept);
    }
    if (page.rows.size() > query.limit)
        page.rows.erase(page.rows.begin(),
                        page.rows.end() - static_cast<std::ptrdiff_t>(query.limit));
    return page;
}

std::uint64_t Recent::first_id() const {
    return entries_.empty() ? last_id_ + 1 : entries_.front().kept.id;
}

} // namespace ballast::findings

// SPDX-License-Identifier: Apache-2.0
#include "daemon/act/undo_list.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "daemon/util/fd.h"

namespace ballast::act {

namespace {

using Json = nlohmann::json;

constexpr int schema = 1;
constexpr mode_t only_root = 0600;

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// Another at each boot.
std::string boot_id() {
    std::string id = read_file("/proc/sys/kernel/random/boot_id");
    std::erase(id, '\n');
    return id;
}

Json json_of(const SysctlChange& change) {
    return {{"netns", change.space.inode},
            {"cookie", change.space.cookie},
            {"name", change.name},
            {"before", change.before},
            {"ours", change.ours}};
}

SysctlChange change_of(const Json& json) {
    return {
        .space = {json.at("netns").get<std::uint32_t>(), json.at("cookie").get<std::uint64_t>()},
        .name = json.at("name").get<std::string>(),
        .before = json.at("before").get<std::string>(),
        .ours = json.at("ours").get<std::vector<std::string>>()};
}

/// Whole or not at all, whenever the process ends.
Result<void> replace_file(const std::string& path, const std::string& text) {
    const std::string next = path + ".new";
    const Fd file(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, only_root));
    if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return fail(Error::system("write " + next, errno));
    std::error_code error;
    std::filesystem::rename(next, path, error);
    if (error)
        return fail(Error::system(fmt::format("rename {} to {}", next, path), error.value()));
    return {};
}

/// L2, in the namespace.
void restore(Undone& undone) {
    const SysctlChange& change = undone.change;
    const auto now = read_sysctl(change.name);
    if (!now) {
        undone.why = now.error().text();
        return;
    }
    if (*now == change.before) {
        undone.how = Undone::How::unchanged;
        return;
    }
    if (std::ranges::find(change.ours, *now) == change.ours.end()) {
        undone.how = Undone::How::overridden;
        return;
    }
    if (const auto written = write_sysctl(change.name, change.before); !written)
        undone.why = written.error().text();
    else
        undone.how = Undone::How::restored;
}

} // namespace

Result<UndoList> UndoList::open(const std::string& runtime_dir) {
    UndoList list(runtime_dir + "/undo.json");
    std::error_code error;
    if (!std::filesystem::exists(list.file_, error))
        return list;
    try {
        const Json json = Json::parse(read_file(list.file_));
        if (json.at("schema").get<int>() != schema)
            return fail(Error(fmt::format("{} is of another version of Ballast", list.file_)));
        if (json.at("boot").get<std::string>() == boot_id()) // L3
            for (const Json& change : json.at("changes"))
                list.changes_.push_back(change_of(change));
    } catch (const Json::exception& broken) {
        return fail(Error(fmt::format("{} cannot be read: {}", list.file_, broken.what()))
                        .hint("it lists sysctls that Ballast has changed; put them back by hand, "
                              "then remove it"));
    }
    return list;
}

Result<UndoList> UndoList::begin_anew(const std::string& runtime_dir) {
    const std::string file = runtime_dir + "/undo.json";
    std::error_code error;
    std::filesystem::rename(file, file + ".unread", error);
    if (error)
        return fail(Error::system(fmt::format("rename {}", file), error.value()));
    return UndoList(file);
}

Result<void> UndoList::save() const {
    if (changes_.empty()) {
        std::error_code error;
        std::filesystem::remove(file_, error);
        return error ? fail(Error::system("remove " + file_, error.value())) : Result<void>();
    }
    Json changes = Json::array();
    for (const auto& change : changes_)
        changes.push_back(json_of(change));
    return replace_file(
        file_, Json{{"schema", schema}, {"boot", boot_id()}, {"changes", changes}}.dump(1) + "\n");
}

const SysctlChange* UndoList::find(const SysctlChange& change) const {
    const auto at =
        std::ranges::find_if(changes_, [&](const auto& known) { return known.is_same(change); });
    return at == changes_.end() ? nullptr : &*at;
}

Result<void> UndoList::add(const SysctlChange& change) {
    const auto at =
        std::ranges::find_if(changes_, [&](const auto& known) { return known.is_same(change); });
    if (at == changes_.end()) {
        changes_.push_back(change);
        return save();
    }
    bool is_news = false;
    for (const auto& value : change.ours)
        if (std::ranges::find(at->ours, value) == at->ours.end()) {
            at->ours.push_back(value);
            is_news = true;
        }
    return is_news ? save() : Result<void>();
}

Undone UndoList::undo(const SysctlChange& change) {
    const SysctlChange* known = find(change);
    Undone undone{.change = known ? *known : change, .how = Undone::How::failed, .why = {}};
    kernel::NetNamespace where{undone.change.space.inode, ""};
    const auto entered = in_space(where, undone.change.space.cookie, [&] { restore(undone); });
    if (!entered) {
        const int reason = entered.error().errno_value();
        if (reason == ENOENT || reason == ESTALE)
            undone.how = Undone::How::gone;
        else
            undone.why = entered.error().text();
    }
    if (undone.how != Undone::How::failed)
        std::erase_if(changes_, [&](const auto& one) { return one.is_same(undone.change); });
    if (const auto saved = save(); !saved)
        undone.why = saved.error().text();
    return undone;
}

std::vector<Undone> UndoList::undo_all() {
    std::vector<Undone> all;
    const auto changes = changes_;
    for (const auto& change : changes)
        all.push_back(undo(change));
    return all;
}

std::string text_of(const Undone& undone) {
    std::string name = undone.change.name;
    std::ranges::replace(name, '/', '.');
    const std::string where =
        fmt::format("{} in network namespace {}", name, undone.change.space.inode);
    switch (undone.how) {
    case Undone::How::restored:
        return fmt::format("restored {} to {}", where, undone.change.before);
    case Undone::How::unchanged:
        return fmt::format("{} is {} already", where, undone.change.before);
    case Undone::How::overridden:
        return fmt::format("left {} alone: somebody else changed it, before it was {}", where,
                           undone.change.before);
    case Undone::How::gone:
        return fmt::format("{}: the namespace has ended", where);
    case Undone::How::failed:
        break;
    }
    return fmt::format("could not restore {} to {}: {}", where, undone.change.before, undone.why);
}

} // namespace ballast::act

// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/policy_files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/util/fd.h"

namespace ballast {
namespace {

namespace fs = std::filesystem;

Result<std::string> read_all(int fd, std::size_t max_bytes) {
    std::string text;
    std::array<char, 16384> buffer{};
    while (text.size() <= max_bytes) {
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(Error::system("read()", errno));
        if (got == 0)
            return text;
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return fail(Error(fmt::format("too big; a policy has at most {} bytes, all files together",
                                  kMaxPolicyBytes)));
}

/// Whole text of a regular file. Opened without blocking, in case it is a FIFO.
Result<std::string> read_file(const fs::path& path, std::size_t max_bytes) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd)
        return fail(Error::system("open()", errno).hint("check that it exists and its mode"));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0)
        return fail(Error::system("fstat()", errno));
    if (!S_ISREG(status.st_mode))
        return fail(Error("not a regular file, nor a link to one"));
    return read_all(fd.get(), max_bytes);
}

bool is_drop_in(const fs::path& path) {
    return path.extension() == ".toml" && !path.filename().native().starts_with('.');
}

/// Sorted paths; an absent directory has none.
std::vector<fs::path> drop_ins(const fs::path& directory, ProblemList& errors) {
    std::vector<fs::path> paths;
    std::error_code error;
    fs::directory_iterator entry(directory, error);
    if (error == std::errc::no_such_file_or_directory)
        return paths;
    for (; !error && entry != fs::directory_iterator(); entry.increment(error))
        if (is_drop_in(entry->path()))
            paths.push_back(entry->path());
    if (error)
        errors.add({directory.string()}, "",
                   fmt::format("reading the directory: {}", error.message()));
    std::sort(paths.begin(), paths.end());
    if (paths.size() > kMaxDropIns)
        errors.add({paths[kMaxDropIns].string()}, "",
                   fmt::format("{} drop-ins; at most {} are read", paths.size(), kMaxDropIns));
    paths.resize(std::min(paths.size(), kMaxDropIns));
    return paths;
}

} // namespace

fs::path drop_in_directory(const fs::path& main_file) {
    return fs::path(main_file).replace_extension(".d");
}

PolicyReport check_policy(const fs::path& main_file) {
    ProblemList errors;
    std::vector<PolicySource> sources;
    std::vector<fs::path> paths = drop_ins(drop_in_directory(main_file), errors);
    paths.insert(paths.begin(), main_file);
    std::size_t left = kMaxPolicyBytes;
    for (const fs::path& path : paths) {
        auto text = read_file(path, left);
        if (text) {
            left -= text->size();
            sources.push_back({path.string(), std::move(*text)});
        } else if (path != main_file || text.error().errno_value() != ENOENT) {
            errors.add({path.string()}, "", text.error().text());
        }
    }
    return parse_policy(sources, std::move(errors));
}

Result<Policy> load_policy(const fs::path& main_file) {
    return check_policy(main_file).result();
}

} // namespace ballast

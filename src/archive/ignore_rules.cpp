// SPDX-License-Identifier: Apache-2.0
#include "ignore_rules.hpp"

#include <array>
#include <cctype>
#include <utility>

namespace hks::archive {
namespace {

/// Spaces at the end do not count unless a backslash quotes them.
std::string_view trim_line(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    size_t keep = 0;
    for (size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\' && i + 1 < line.size())
            ++i;
        else if (line[i] == ' ')
            continue;
        keep = i + 1;
    }
    return line.substr(0, keep);
}

using NamedClass = std::pair<std::string_view, int (*)(int)>;
constexpr std::array<NamedClass, 12> named_classes{{{"alnum", std::isalnum},
                                                    {"alpha", std::isalpha},
                                                    {"blank", std::isblank},
                                                    {"cntrl", std::iscntrl},
                                                    {"digit", std::isdigit},
                                                    {"graph", std::isgraph},
                                                    {"lower", std::islower},
                                                    {"print", std::isprint},
                                                    {"punct", std::ispunct},
                                                    {"space", std::isspace},
                                                    {"upper", std::isupper},
                                                    {"xdigit", std::isxdigit}}};

bool add_named_class(std::string_view name, std::bitset<256>& bytes) {
    for (const auto& [known, test] : named_classes) {
        if (known != name) continue;
        for (int c = 0; c < 128; ++c)
            if (test(c)) bytes.set(static_cast<size_t>(c));
        return true;
    }
    return false;
}

/// One member of a [class], quoted or not; false at the end of the pattern.
bool class_member(std::string_view pattern, size_t& position, unsigned char& out) {
    if (position < pattern.size() && pattern[position] == '\\') ++position;
    if (position >= pattern.size()) return false;
    out = static_cast<unsigned char>(pattern[position++]);
    return true;
}

}  // namespace

bool IgnorePattern::parse(std::string_view line, IgnorePattern& out) {
    out = IgnorePattern();
    if (line.starts_with('#')) return false;
    std::string_view pattern = trim_line(line);
    if (pattern.starts_with('!')) {
        out.negated_ = true;
        pattern.remove_prefix(1);
    }
    if (pattern.ends_with('/')) {
        out.folders_only_ = true;
        pattern.remove_suffix(1);
    }
    if (pattern.empty()) return false;
    out.base_name_only_ = pattern.find('/') == std::string_view::npos;
    if (pattern.starts_with('/')) pattern.remove_prefix(1);
    return out.compile(pattern);
}

bool IgnorePattern::compile(std::string_view pattern) {
    size_t i = 0;
    while (i < pattern.size()) {
        Token token{Kind::one_of, {}};
        const char c = pattern[i];
        if (c == '*') {
            i = compile_stars(pattern, i);
            continue;
        }
        if (c == '[') {
            if (!compile_class(pattern, i)) return false;
            continue;
        }
        if (c == '?') {
            token.bytes.set();
            token.bytes.reset('/');
        } else {
            if (c == '\\' && ++i == pattern.size()) return false;
            token.bytes.set(static_cast<unsigned char>(pattern[i]));
        }
        ++i;
        tokens_.push_back(token);
    }
    return true;
}

size_t IgnorePattern::compile_stars(std::string_view pattern, size_t position) {
    size_t end = position;
    while (end < pattern.size() && pattern[end] == '*') ++end;
    const bool whole_component = end - position >= 2 && (position == 0 || pattern[position - 1] == '/') &&
                                 (end == pattern.size() || pattern[end] == '/');
    if (!whole_component) {
        tokens_.push_back({Kind::star, {}});
    } else if (end == pattern.size()) {
        tokens_.push_back({Kind::rest, {}});
    } else {
        tokens_.push_back({Kind::skip_folders, {}});
        tokens_.push_back({Kind::inside_folders, {}});
        ++end;
    }
    return end;
}

bool IgnorePattern::compile_class(std::string_view pattern, size_t& position) {
    size_t i = position + 1;
    Token token{Kind::one_of, {}};
    const bool inverted = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
    if (inverted) ++i;
    for (bool first = true; i < pattern.size() && (first || pattern[i] != ']'); first = false) {
        if (pattern.substr(i).starts_with("[:")) {
            const size_t end = pattern.find(":]", i + 2);
            if (end == std::string_view::npos ||
                !add_named_class(pattern.substr(i + 2, end - i - 2), token.bytes))
                return false;
            i = end + 2;
            continue;
        }
        unsigned char low = 0, high = 0;
        if (!class_member(pattern, i, low)) return false;
        high = low;
        if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
            ++i;
            if (!class_member(pattern, i, high)) return false;
        }
        for (unsigned c = low; c <= high; ++c) token.bytes.set(c);
    }
    if (i >= pattern.size()) return false;
    if (inverted) token.bytes.flip();
    token.bytes.reset('/');
    tokens_.push_back(token);
    position = i + 1;
    return true;
}

/// All states at once, so that no pattern makes it go back.
bool IgnorePattern::run(std::string_view text) const {
    const size_t end = tokens_.size();
    std::vector<char> now(end + 1, 0), next(end + 1, 0);
    now[0] = 1;
    auto spread = [&](std::vector<char>& states) {
        for (size_t i = 0; i < end; ++i) {
            if (!states[i]) continue;
            const Kind kind = tokens_[i].kind;
            if (kind == Kind::star || kind == Kind::rest) states[i + 1] = 1;
            if (kind == Kind::skip_folders) states[i + 1] = states[i + 2] = 1;
        }
    };
    spread(now);
    for (const char c : text) {
        std::fill(next.begin(), next.end(), 0);
        for (size_t i = 0; i < end; ++i) {
            if (!now[i]) continue;
            const Kind kind = tokens_[i].kind;
            if (kind == Kind::one_of && tokens_[i].bytes.test(static_cast<unsigned char>(c))) next[i + 1] = 1;
            if (kind == Kind::rest || kind == Kind::inside_folders || (kind == Kind::star && c != '/'))
                next[i] = 1;
            if (kind == Kind::inside_folders && c == '/') next[i + 1] = 1;
        }
        spread(next);
        now.swap(next);
    }
    return now[end] != 0;
}

bool IgnorePattern::matches(std::string_view path, bool is_folder) const {
    if (folders_only_ && !is_folder) return false;
    if (base_name_only_) path.remove_prefix(path.rfind('/') + 1);
    return run(path);
}

void IgnoreRules::push(std::string_view folder, std::string_view text) {
    File file;
    if (!folder.empty()) file.prefix = std::string(folder) + "/";
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        IgnorePattern pattern;
        if (IgnorePattern::parse(text.substr(0, end), pattern)) file.patterns.push_back(std::move(pattern));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    files_.push_back(std::move(file));
}

bool IgnoreRules::ignored(std::string_view path, bool is_folder) const {
    for (auto file = files_.rbegin(); file != files_.rend(); ++file) {
        if (!path.starts_with(file->prefix)) continue;
        const std::string_view inner = path.substr(file->prefix.size());
        for (auto pattern = file->patterns.rbegin(); pattern != file->patterns.rend(); ++pattern)
            if (pattern->matches(inner, is_folder)) return !pattern->negated();
    }
    return false;
}

}  // namespace hks::archive

// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which files stay behind: the pattern rules of .gitignore. Rules are pushed on the way into a folder and
// popped on the way out; the last rule that matches decides. What an ignored folder holds cannot come back,
// so callers do not descend into one. Patterns are matched in time linear in the path, whatever they look
// like. Pure.

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

namespace hks::archive {

/// One line of an ignore file.
class IgnorePattern {
  public:
    /// False for blank lines, comments and patterns that can never match.
    static bool parse(std::string_view line, IgnorePattern& out);

    /// `path` relative to the folder of the ignore file.
    bool matches(std::string_view path, bool is_folder) const;
    bool negated() const { return negated_; }

  private:
    enum class Kind : unsigned char { one_of, star, skip_folders, inside_folders, rest };
    struct Token {
        Kind kind;
        std::bitset<256> bytes;  ///< of one_of
    };

    bool compile(std::string_view pattern);
    bool compile_class(std::string_view pattern, size_t& position);
    size_t compile_stars(std::string_view pattern, size_t position);
    bool run(std::string_view text) const;

    std::vector<Token> tokens_;
    bool negated_ = false;
    bool folders_only_ = false;
    bool base_name_only_ = false;  ///< no slash in the pattern: matched against the last component
};

class IgnoreRules {
  public:
    /// The rules of one file; `folder` is where it lies, relative to the root ("" or "a/b").
    void push(std::string_view folder, std::string_view text);
    void pop() { files_.pop_back(); }

    /// `path` relative to the root, without a slash at the end. Parents are the caller's business.
    bool ignored(std::string_view path, bool is_folder) const;

  private:
    struct File {
        std::string prefix;  ///< "" or "a/b/"
        std::vector<IgnorePattern> patterns;
    };
    std::vector<File> files_;
};

}  // namespace hks::archive

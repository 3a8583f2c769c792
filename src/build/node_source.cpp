// SPDX-License-Identifier: Apache-2.0
#include "node_source.hpp"

#include <cctype>
#include <string>
#include <vector>

namespace hks::build {
namespace {

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$';
}

class Scanner {
  public:
    explicit Scanner(std::string_view text) : text_(text) {}

    bool finds_module_syntax() {
        if (text_.starts_with("#!")) skip_line();
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (std::isspace(static_cast<unsigned char>(c))) {
                ++at_;
            } else if (c == '/' && next() == '/') {
                skip_line();
            } else if (c == '/' && next() == '*') {
                skip_past("*/");
            } else if (c == '"' || c == '\'') {
                skip_quoted(c);
            } else if (c == '`') {
                ++at_;
                skip_template();
            } else if (c == '/' && slash_starts_pattern()) {
                skip_pattern();
            } else if (is_word(c)) {
                if (word()) return true;
            } else {
                punctuation(c);
            }
        }
        return false;
    }

  private:
    char next() const { return at_ + 1 < text_.size() ? text_[at_ + 1] : '\0'; }

    void skip_line() { at_ = std::min(text_.find('\n', at_), text_.size()); }

    void skip_past(std::string_view end) {
        const size_t found = text_.find(end, at_ + 2);
        at_ = found == std::string_view::npos ? text_.size() : found + end.size();
    }

    void skip_quoted(char quote) {
        for (++at_; at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n'; ++at_)
            if (text_[at_] == '\\') ++at_;
        ++at_;
        before_ = 'x';
    }

    /// To the closing backtick, or to a "${" whose "}" comes back here.
    void skip_template() {
        for (; at_ < text_.size(); ++at_) {
            if (text_[at_] == '\\') {
                ++at_;
            } else if (text_[at_] == '`') {
                ++at_;
                before_ = 'x';
                return;
            } else if (text_[at_] == '$' && next() == '{') {
                at_ += 2;
                open_.push_back('$');
                before_ = '{';
                return;
            }
        }
    }

    bool slash_starts_pattern() const {
        if (before_ == 'x') return false;
        return before_ != ')' && before_ != ']' && before_ != '}';
    }

    void skip_pattern() {
        bool in_class = false;
        for (++at_; at_ < text_.size() && text_[at_] != '\n'; ++at_) {
            if (text_[at_] == '\\')
                ++at_;
            else if (text_[at_] == '[')
                in_class = true;
            else if (text_[at_] == ']')
                in_class = false;
            else if (text_[at_] == '/' && !in_class)
                break;
        }
        ++at_;
        before_ = 'x';
    }

    /// True when this word makes the text a module.
    bool word() {
        const size_t start = at_;
        while (at_ < text_.size() && is_word(text_[at_])) ++at_;
        const std::string_view word = text_.substr(start, at_ - start);
        const bool property = before_ == '.';
        const bool operand_follows = word == "return" || word == "typeof" || word == "case" || word == "in" ||
                                     word == "of" || word == "delete" || word == "void" || word == "await";
        const bool top = open_.empty() && !property;
        before_ = operand_follows && !property ? '=' : 'x';
        if (property || (word != "import" && word != "export")) return false;
        size_t after = at_;
        while (after < text_.size() && std::isspace(static_cast<unsigned char>(text_[after]))) ++after;
        const char follows = after < text_.size() ? text_[after] : '\0';
        if (word == "import" && follows == '.') return true;
        if (!top) return false;
        if (word == "import")
            return follows == '{' || follows == '*' || follows == '"' || follows == '\'' || is_word(follows);
        return follows == '{' || follows == '*' || is_word(follows);
    }

    void punctuation(char c) {
        ++at_;
        before_ = c;
        if (c == '{' || c == '(' || c == '[') open_.push_back(c);
        if ((c == '}' || c == ')' || c == ']') && !open_.empty()) {
            const bool template_goes_on = c == '}' && open_.back() == '$';
            open_.pop_back();
            if (template_goes_on) skip_template();
        }
    }

    std::string_view text_;
    size_t at_ = 0;
    char before_ = ';';  ///< the last character that counted; 'x' = a word or a value
    std::string open_;   ///< brackets; '$' = an expression within a template
};

}  // namespace

bool is_es_module(std::string_view source) {
    return Scanner(source).finds_module_syntax();
}

}  // namespace hks::build

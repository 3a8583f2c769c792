// SPDX-License-Identifier: Apache-2.0
#include "multipart.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

namespace hks::api {
namespace {

Error malformed(const std::string& what) {
    return {Errc::validation_error, "The multipart body cannot be read: " + what +
                                        ". Send multipart/form-data as curl -F or a browser does."};
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

bool is_token_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
}

bool is_boundary_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::strchr("'()+_,-./:=? ", c) != nullptr);
}

/// Reads "value; a=b; c=\"d\"": the value first, then its parameters one by one.
class ParameterReader {
  public:
    explicit ParameterReader(std::string_view text) : rest_(text) {
        const size_t end = std::min(text.find(';'), text.size());
        value_ = lower(trim(text.substr(0, end)));
        rest_.remove_prefix(end);
    }

    const std::string& value() const { return value_; }
    bool broken() const { return broken_; }

    bool next(std::string& name, std::string& value) {
        rest_ = trim(rest_);
        if (rest_.empty() || broken_) return false;
        if (rest_.front() != ';') return fail();
        rest_.remove_prefix(1);
        rest_ = trim(rest_);
        size_t length = 0;
        while (length < rest_.size() && is_token_character(rest_[length])) ++length;
        if (length == 0 || length >= rest_.size() || rest_[length] != '=') return fail();
        name = lower(rest_.substr(0, length));
        rest_.remove_prefix(length + 1);
        return read_value(value);
    }

  private:
    bool fail() {
        broken_ = true;
        return false;
    }

    bool read_value(std::string& value) {
        value.clear();
        if (rest_.empty()) return fail();
        if (rest_.front() != '"') {
            size_t length = 0;
            while (length < rest_.size() && is_token_character(rest_[length])) ++length;
            if (length == 0) return fail();
            value = rest_.substr(0, length);
            rest_.remove_prefix(length);
            return true;
        }
        rest_.remove_prefix(1);
        while (!rest_.empty() && rest_.front() != '"') {
            if (rest_.front() == '\\') {
                rest_.remove_prefix(1);
                if (rest_.empty()) return fail();
            }
            value.push_back(rest_.front());
            rest_.remove_prefix(1);
        }
        if (rest_.empty()) return fail();
        rest_.remove_prefix(1);
        return true;
    }

    std::string value_;
    std::string_view rest_;
    bool broken_ = false;
};

Result<std::string> read_boundary(std::string_view content_type) {
    ParameterReader reader(content_type);
    if (reader.value() != "multipart/form-data")
        return malformed("its Content-Type is not multipart/form-data");
    std::optional<std::string> boundary;
    std::string name, value;
    while (reader.next(name, value)) {
        if (name != "boundary") continue;
        if (boundary) return malformed("it names two boundaries");
        boundary = value;
    }
    if (reader.broken()) return malformed("its Content-Type is not well-formed");
    if (!boundary) return malformed("its Content-Type names no boundary");
    const bool valid = !boundary->empty() && boundary->size() <= 70 && boundary->back() != ' ' &&
                       std::all_of(boundary->begin(), boundary->end(), is_boundary_character);
    if (!valid) return malformed("its boundary is not a valid one");
    return *boundary;
}

Result<void> read_disposition(std::string_view value, Part& part) {
    ParameterReader reader(value);
    if (reader.value() != "form-data") return malformed("a part is not form-data");
    bool named = false, has_file = false;
    std::string name, text;
    while (reader.next(name, text)) {
        if (name == "name") {
            if (named) return malformed("a part has two names");
            named = true;
            part.name = text;
        } else if (name == "filename") {
            if (has_file) return malformed("a part has two file names");
            has_file = true;
            part.filename = text;
        }
    }
    if (reader.broken()) return malformed("a Content-Disposition is not well-formed");
    if (!named || part.name.empty()) return malformed("a part has no name");
    return {};
}

Result<void> read_part_header(std::string_view line, Part& part, bool& disposed) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0)
        return malformed("a part has a header line without a name");
    if (!std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon), is_token_character))
        return malformed("a part has a header name with characters that are not allowed");
    const std::string name = lower(line.substr(0, colon));
    const std::string_view value = trim(line.substr(colon + 1));
    for (const char c : value)
        if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f)
            return malformed("a part has a control character in a header");
    if (name == "content-disposition") {
        if (disposed) return malformed("a part has two Content-Disposition lines");
        disposed = true;
        return read_disposition(value, part);
    }
    if (name == "content-type") part.content_type = media_type(value);
    if (name == "content-transfer-encoding") {
        const std::string encoding = lower(value);
        if (encoding != "binary" && encoding != "8bit" && encoding != "7bit")
            return malformed("a part is encoded as " + encoding + ", which form-data does not know");
    }
    return {};
}

/// Reads the header lines at the beginning of `rest` and takes them away, the empty line included.
Result<void> read_part_head(std::string_view& rest, Part& part) {
    size_t used = 0;
    bool disposed = false;
    while (true) {
        const size_t end = rest.find("\r\n");
        if (end == std::string_view::npos) return malformed("it ends within the header of a part");
        used += end + 2;
        if (used > max_part_header_bytes) return malformed("the header of a part is too long");
        const std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end + 2);
        if (line.empty()) break;
        if (auto result = read_part_header(line, part, disposed); !result) return result.error();
    }
    if (!disposed) return malformed("a part has no Content-Disposition");
    return {};
}

}  // namespace

std::string media_type(std::string_view content_type) {
    return lower(trim(content_type.substr(0, std::min(content_type.find(';'), content_type.size()))));
}

Result<std::vector<Part>> parse_multipart(std::string_view content_type, std::string_view body) {
    auto boundary = read_boundary(content_type);
    if (!boundary) return boundary.error();
    const std::string delimiter = "\r\n--" + *boundary;
    const std::string_view opening = std::string_view(delimiter).substr(2);
    if (!body.starts_with(opening)) return malformed("it does not begin with its boundary");
    std::string_view rest = body.substr(opening.size());

    std::vector<Part> parts;
    while (!rest.starts_with("--")) {
        if (!rest.starts_with("\r\n")) return malformed("a boundary is not at the end of its line");
        rest.remove_prefix(2);
        if (parts.size() == max_parts)
            return malformed("it has more than " + std::to_string(max_parts) + " parts");
        Part part;
        if (auto head = read_part_head(rest, part); !head) return head.error();
        if (find_part(parts, part.name)) return malformed("it has two parts called '" + part.name + "'");
        // An empty body may leave out the line break that belongs to the delimiter: not accepted, nobody
        // writes it.
        const void* end = memmem(rest.data(), rest.size(), delimiter.data(), delimiter.size());
        if (!end) return malformed("it ends within the part '" + part.name + "'");
        const auto length = static_cast<size_t>(static_cast<const char*>(end) - rest.data());
        part.body = rest.substr(0, length);
        rest.remove_prefix(length + delimiter.size());
        parts.push_back(std::move(part));
    }
    rest.remove_prefix(2);
    if (!rest.empty() && rest != "\r\n") return malformed("something follows its end");
    return parts;
}

const Part* find_part(const std::vector<Part>& parts, std::string_view name) {
    for (const Part& part : parts)
        if (part.name == name) return &part;
    return nullptr;
}

}  // namespace hks::api

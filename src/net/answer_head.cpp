// SPDX-License-Identifier: Apache-2.0
#include "net/answer_head.hpp"

#include <charconv>
#include <cstdio>
#include <string>
#include <vector>

namespace hks::net {

namespace {

struct Reason {
    int status;
    std::string_view line;
};

constexpr Reason reasons[] = {
    {200, "HTTP/1.1 200 OK\r\n"},
    {201, "HTTP/1.1 201 Created\r\n"},
    {202, "HTTP/1.1 202 Accepted\r\n"},
    {204, "HTTP/1.1 204 No Content\r\n"},
    {206, "HTTP/1.1 206 Partial Content\r\n"},
    {301, "HTTP/1.1 301 Moved Permanently\r\n"},
    {302, "HTTP/1.1 302 Found\r\n"},
    {303, "HTTP/1.1 303 See Other\r\n"},
    {304, "HTTP/1.1 304 Not Modified\r\n"},
    {307, "HTTP/1.1 307 Temporary Redirect\r\n"},
    {308, "HTTP/1.1 308 Permanent Redirect\r\n"},
    {400, "HTTP/1.1 400 Bad Request\r\n"},
    {401, "HTTP/1.1 401 Unauthorized\r\n"},
    {403, "HTTP/1.1 403 Forbidden\r\n"},
    {404, "HTTP/1.1 404 Not Found\r\n"},
    {405, "HTTP/1.1 405 Method Not Allowed\r\n"},
    {408, "HTTP/1.1 408 Request Timeout\r\n"},
    {409, "HTTP/1.1 409 Conflict\r\n"},
    {412, "HTTP/1.1 412 Precondition Failed\r\n"},
    {413, "HTTP/1.1 413 Content Too Large\r\n"},
    {414, "HTTP/1.1 414 URI Too Long\r\n"},
    {415, "HTTP/1.1 415 Unsupported Media Type\r\n"},
    {417, "HTTP/1.1 417 Expectation Failed\r\n"},
    {422, "HTTP/1.1 422 Unprocessable Content\r\n"},
    {429, "HTTP/1.1 429 Too Many Requests\r\n"},
    {431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
    {500, "HTTP/1.1 500 Internal Server Error\r\n"},
    {501, "HTTP/1.1 501 Not Implemented\r\n"},
    {502, "HTTP/1.1 502 Bad Gateway\r\n"},
    {503, "HTTP/1.1 503 Service Unavailable\r\n"},
    {504, "HTTP/1.1 504 Gateway Timeout\r\n"},
    {505, "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
    {507, "HTTP/1.1 507 Insufficient Storage\r\n"},
};

}  // namespace

void append_status_line(Buffer& out, int status) {
    for (const Reason& reason : reasons)
        if (reason.status == status) return out.append(reason.line);
    // The reason phrase may be empty; the space before it may not be missing (RFC 9112 section 4).
    char line[32];
    const int size = std::snprintf(line, sizeof line, "HTTP/1.1 %03d \r\n", status);
    out.append({line, static_cast<size_t>(size)});
}

void append_content_length(Buffer& out, uint64_t length) {
    constexpr std::string_view name = "Content-Length: ";
    char line[48];
    std::memcpy(line, name.data(), name.size());
    char* end = std::to_chars(line + name.size(), line + sizeof line, length).ptr;
    *end++ = '\r';
    *end++ = '\n';
    out.append({line, static_cast<size_t>(end - line)});
}

void append_chunk_size(Buffer& out, size_t size) {
    char line[24];
    char* end = std::to_chars(line, line + sizeof line, size, 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    out.append({line, static_cast<size_t>(end - line)});
}

std::string_view DateLine::text() {
    timespec now;
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != second_) {
        static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        second_ = now.tv_sec;
        tm utc;
        ::gmtime_r(&second_, &utc);
        char text[96];
        size_ = static_cast<size_t>(std::snprintf(
            text, sizeof text, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[utc.tm_wday],
            utc.tm_mday, months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec));
        size_ = std::min(size_, line_.size());
        std::memcpy(line_.data(), text, size_);
    }
    return {line_.data(), size_};
}

}  // namespace hks::net

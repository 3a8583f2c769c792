// SPDX-License-Identifier: Apache-2.0
#pragma once
// Messages that two readers could understand differently, or that break a limit: the section that forbids
// them (of RFC 9112 unless it says 9110 or 3986; "ours" is a rule of this edge) and the answer.

#include <string>
#include <string_view>
#include <vector>

namespace hks::net::test {

struct RefusedMessage {
    const char* section;
    int status;
    std::string bytes;
};

inline std::string get(std::string_view line_or_fields) {
    return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(line_or_fields) + "\r\n\r\n";
}
inline std::string post(std::string_view fields, std::string_view body) {
    return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n\r\n" + std::string(body);
}
inline std::string target(std::string_view text) {
    return "GET " + std::string(text) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}
inline std::string host(std::string_view value) {
    return "GET / HTTP/1.1\r\nHost: " + std::string(value) + "\r\n\r\n";
}
inline std::string chunked(std::string_view body) {
    return post("Transfer-Encoding: chunked", body);
}
inline std::string line(std::string_view text) {
    return std::string(text) + "\r\nHost: a\r\n\r\n";
}

/// Sources that cannot be written as a literal.
inline std::string with_byte(std::string text, char byte) {
    text[text.find('@')] = byte;
    return text;
}

inline std::vector<RefusedMessage> refused_request_lines() {
    return {
        {"3 lower case method", 501, line("get / HTTP/1.1")},
        {"9110 9.1 unknown method", 501, line("BREW / HTTP/1.1")},
        {"9110 9.1 unknown method", 501, line("GETT / HTTP/1.1")},
        {"9110 9.3.8 TRACE", 501, line("TRACE / HTTP/1.1")},
        {"9110 9.3.6 CONNECT", 501, line("CONNECT a:443 HTTP/1.1")},
        {"3.2.3 authority-form", 501, line("CONNECT a HTTP/1.1")},
        {"3.1 method is a token", 400, line("GE(T / HTTP/1.1")},
        {"3.1 method is a token", 400, line("G\"T / HTTP/1.1")},
        {"3.1 no method", 400, line(" / HTTP/1.1")},
        {"3.1 method is a token", 400, line("GET: / HTTP/1.1")},
        {"3.1 tab for a space", 400, line("GET\t/ HTTP/1.1")},
        {"3 two spaces", 400, line("GET  / HTTP/1.1")},
        {"3 two spaces", 400, line("GET /  HTTP/1.1")},
        {"3 leading space", 400, line(" GET / HTTP/1.1")},
        {"3 trailing space", 400, line("GET / HTTP/1.1 ")},
        {"3 trailing tab", 400, line("GET / HTTP/1.1\t")},
        {"3 tab for a space", 400, line("GET /\tHTTP/1.1")},
        {"3 no version (0.9)", 400, line("GET /")},
        {"3 no target", 400, line("GET")},
        {"3 no target", 400, line("GET HTTP/1.1")},
        {"3 empty target", 400, line("GET  HTTP/1.1")},
        {"3 four parts", 400, line("GET / HTTP/1.1 x")},
        {"2.3 lower case name", 400, line("GET / http/1.1")},
        {"2.3 wrong name", 400, line("GET / HTTPS/1.1")},
        {"2.3 no minor", 400, line("GET / HTTP/1")},
        {"2.3 no minor", 400, line("GET / HTTP/1.")},
        {"2.3 two digits", 400, line("GET / HTTP/1.10")},
        {"2.3 two digits", 400, line("GET / HTTP/11.1")},
        {"2.3 leading zero", 400, line("GET / HTTP/01.1")},
        {"2.3 comma", 400, line("GET / HTTP/1,1")},
        {"2.3 letters", 400, line("GET / HTTP/x.y")},
        {"2.3 sign", 400, line("GET / HTTP/+1.1")},
        {"2.5 version 1.2", 505, line("GET / HTTP/1.2")},
        {"2.5 version 1.9", 505, line("GET / HTTP/1.9")},
        {"2.5 version 2.0", 505, line("GET / HTTP/2.0")},
        {"2.5 version 0.9", 505, line("GET / HTTP/0.9")},
        {"2.5 version 9.9", 505, line("GET / HTTP/9.9")},
        {"9113 3.4 preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        {"2.2 bare LF", 400, "GET / HTTP/1.1\nHost: a\r\n\r\n"},
        {"2.2 bare LF everywhere", 400, "GET / HTTP/1.1\nHost: a\n\n"},
        {"2.2 CR not before LF", 400, "GET / HTTP/1.1\rHost: a\r\n\r\n"},
        {"2.2 CR CR LF", 400, "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"},
        {"2.2 two empty lines first", 400, "\r\n\r\n" + get("A: b")},
        {"2.2 LF first", 400, "\n" + get("A: b")},
        {"2.2 CR first", 400, "\r" + get("A: b")},
        {"2.2 space on the first line", 400, " \r\n" + get("A: b")},
        {"2.2 NUL first", 400, with_byte("@GET / HTTP/1.1\r\nHost: a\r\n\r\n", '\0')},
        {"2.2 byte order mark", 400, "\xEF\xBB\xBFGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"ours: a TLS hello", 400, std::string("\x16\x03\x01\x02\x00\x01", 6)},
        {"ours: line over 8 KiB", 414, target("/" + std::string(9000, 'a'))},
        {"ours: method over 8 KiB", 414, line(std::string(9000, 'A') + " / HTTP/1.1")},
        {"ours: query over 8 KiB", 414, target("/?" + std::string(8192, 'q'))},
    };
}

inline std::vector<RefusedMessage> refused_targets() {
    return {
        {"3986 3.5 fragment", 400, target("/a#b")},
        {"3986 3.5 fragment in the query", 400, target("/a?b#c")},
        {"3986 2 backslash", 400, target("/a\\b")},
        {"3986 2 backslash first", 400, target("\\a")},
        {"3986 2 raw 8-bit byte", 400, target("/\xC3\xA9")},
        {"3986 2 raw 8-bit byte in the query", 400, target("/?\xFF")},
        {"3986 2 NUL", 400, with_byte(target("/@"), '\0')},
        {"3986 2 control byte", 400, with_byte(target("/@"), '\x01')},
        {"3986 2 DEL", 400, with_byte(target("/@"), '\x7f')},
        {"3986 2 CR in the target", 400, with_byte(target("/@x"), '\r')},
        {"3986 2 LF in the target", 400, with_byte(target("/@x"), '\n')},
        {"3986 2.1 broken escape", 400, target("/%")},
        {"3986 2.1 broken escape", 400, target("/%4")},
        {"3986 2.1 broken escape", 400, target("/%4?x")},
        {"3986 2.1 broken escape", 400, target("/%zz")},
        {"3986 2.1 broken escape", 400, target("/%4g")},
        {"3986 2.1 broken escape", 400, target("/a/%%41")},
        {"3986 2.1 overlong escape syntax", 400, target("/%u0041")},
        {"3986 7.3 escaped NUL", 400, target("/%00")},
        {"3986 7.3 escaped NUL inside", 400, target("/a%00b")},
        {"3986 7.3 escaped LF", 400, target("/a%0Ab")},
        {"3986 7.3 escaped CR", 400, target("/a%0db")},
        {"3986 7.3 escaped DEL", 400, target("/%7f")},
        {"3986 5.2.4 above the root", 400, target("/..")},
        {"3986 5.2.4 above the root", 400, target("/../etc/passwd")},
        {"3986 5.2.4 above the root", 400, target("/a/../../b")},
        {"3986 5.2.4 above the root, escaped", 400, target("/%2e%2e/b")},
        {"3986 5.2.4 above the root, escaped", 400, target("/a/.%2E/%2e./b")},
        {"3986 5.2.4 above the root, slashes", 400, target("//a//..//../..")},
        {"3.2 neither form", 400, target("a")},
        {"3.2 neither form", 400, target("index.html")},
        {"3.2 query alone", 400, target("?a=b")},
        {"3.2 star is for OPTIONS", 400, target("*")},
        {"3.2.4 star and more", 400, line("OPTIONS *a HTTP/1.1")},
        {"3.2.3 authority-form without CONNECT", 400, target("a:80")},
        {"3.2.2 other scheme", 400, target("ftp://a/")},
        {"3.2.2 other scheme", 400, target("file:///etc/passwd")},
        {"3.2.2 other scheme", 400, target("javascript://a/")},
        {"3.2.2 empty scheme", 400, target("://a/")},
        {"3.2.2 empty authority", 400, target("http:///x")},
        {"3.2.2 empty authority", 400, target("http://")},
        {"3.2.2 single slash", 400, target("http:/a")},
        {"3.2.2 other host than Host", 400, target("http://b/")},
        {"3.2.2 other port than Host", 400, target("http://a:81/")},
        {"9110 4.2.4 user information", 400, target("http://u@a/")},
        {"9110 4.2.4 user information", 400, target("http://u:p@a/")},
        {"9110 4.2.4 user information hides a host", 400, target("http://a@b/")},
        {"3.2.2 absolute-form above the root", 400, target("http://a/../x")},
    };
}

inline std::vector<RefusedMessage> refused_hosts() {
    return {
        {"3.2 no Host", 400, "GET / HTTP/1.1\r\n\r\n"},
        {"3.2 no Host, other fields", 400, "GET / HTTP/1.1\r\nA: b\r\n\r\n"},
        {"3.2 two Hosts", 400, get("Host: b")},
        {"3.2 two equal Hosts", 400, get("Host: a")},
        {"3.2 two Hosts, other case", 400, get("hOST: a")},
        {"3.2 empty Host", 400, host("")},
        {"3.2 blank Host", 400, host("   ")},
        {"9110 7.2 two hosts in one", 400, host("a b")},
        {"9110 7.2 list", 400, host("a,b")},
        {"9110 7.2 list", 400, host("a, b")},
        {"9110 7.2 user information", 400, host("u@a")},
        {"9110 7.2 path", 400, host("a/b")},
        {"9110 7.2 scheme", 400, host("http://a")},
        {"9110 7.2 query", 400, host("a?b")},
        {"9110 7.2 fragment", 400, host("a#b")},
        {"9110 7.2 backslash", 400, host("a\\b")},
        {"9110 7.2 escape", 400, host("a%2eb")},
        {"9110 7.2 8-bit", 400, host("\xC3\xA9.example")},
        {"9110 7.2 empty port", 400, host("a:")},
        {"9110 7.2 no name", 400, host(":80")},
        {"9110 7.2 port letters", 400, host("a:8o")},
        {"9110 7.2 port sign", 400, host("a:+80")},
        {"9110 7.2 port zero", 400, host("a:0")},
        {"9110 7.2 port too large", 400, host("a:65536")},
        {"9110 7.2 port too long", 400, host("a:000080")},
        {"9110 7.2 two ports", 400, host("a:80:80")},
        {"3986 3.2.2 IPv6 without brackets", 400, host("::1")},
        {"3986 3.2.2 unclosed bracket", 400, host("[::1")},
        {"3986 3.2.2 not IPv6", 400, host("[abc]")},
        {"3986 3.2.2 bytes after the bracket", 400, host("[::1]x")},
        {"3986 3.2.2 zone", 400, host("[fe80::1%25eth0]")},
        {"3986 3.2.2 future address", 400, host("[v1.a]")},
        {"ours: Host over 255", 400, host(std::string(300, 'a'))},
        {"3.2 two Hosts in HTTP/1.0", 400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
        {"3.2 bad Host in HTTP/1.0", 400, "GET / HTTP/1.0\r\nHost: a b\r\n\r\n"},
        {"3.2.2 absolute-form without Host in 1.0", 400, "GET http://a/ HTTP/1.0\r\n\r\n"},
    };
}

inline std::vector<RefusedMessage> refused_fields() {
    return {
        {"5.1 space before the colon", 400, get("A : b")},
        {"5.1 tab before the colon", 400, get("A\t: b")},
        {"5.1 space before the colon of a length", 400, post("Content-Length : 5", "hello")},
        {"5.1 space before the colon of a coding", 400, post("Transfer-Encoding : chunked", "0\r\n\r\n")},
        {"5 no colon", 400, get("A")},
        {"5 no name", 400, get(": b")},
        {"5 name is a token", 400, get("A b: c")},
        {"5 name is a token", 400, get("A(b): c")},
        {"5 name is a token", 400, get("\"A\": c")},
        {"5 name is a token", 400, get("A/b: c")},
        {"5 name is a token, 8-bit", 400, get("\xC3\xA9: c")},
        {"5 name is a token, NUL", 400, with_byte(get("A@b: c"), '\0')},
        {"5 name is a token, CR", 400, with_byte(get("A@b: c"), '\r')},
        {"5.2 folded field", 400, get("A: b\r\n c")},
        {"5.2 folded field, tab", 400, get("A: b\r\n\tc")},
        {"5.2 folded coding", 400, post("Transfer-Encoding:\r\n chunked", "0\r\n\r\n")},
        {"5.2 folded length", 400, post("Content-Length:\r\n 5", "hello")},
        {"2.2 space before the first field", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
        {"2.2 blank line with a space ends nothing", 400, "GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n"},
        {"9110 5.5 NUL in a value", 400, with_byte(get("A: b@c"), '\0')},
        {"9110 5.5 CR in a value", 400, with_byte(get("A: b@c"), '\r')},
        {"9110 5.5 bare LF in a value", 400, with_byte(get("A: b@c"), '\n')},
        {"9110 5.5 BEL in a value", 400, with_byte(get("A: b@c"), '\x07')},
        {"9110 5.5 DEL in a value", 400, with_byte(get("A: b@c"), '\x7f')},
        {"9110 5.5 ESC deep in a long value", 400,
         with_byte(get("A: " + std::string(40, 'x') + "@c"), '\x1b')},
        {"2.2 bare LF ends the head", 400, "GET / HTTP/1.1\r\nHost: a\r\n\nX"},
        {"2.2 CR without LF ends the head", 400, "GET / HTTP/1.1\r\nHost: a\r\n\rX"},
        {"ours: fields over 32 KiB", 431, get("A: " + std::string(33'000, 'x'))},
        {"ours: name over 32 KiB", 431, get(std::string(33'000, 'x') + ": a")},
        {"ours: white space over 32 KiB", 431, get("A:" + std::string(33'000, ' ') + "a")},
        {"ours: over 100 fields", 431,
         [] {
             std::string fields;
             for (int i = 0; i < 101; ++i) fields += "A: b\r\n";
             return get(fields + "A: b");
         }()},
        {"9110 10.1.1 other expectation", 417, post("Expect: 200-ok\r\nContent-Length: 1", "x")},
        {"9110 10.1.1 list of expectations", 417, post("Expect: 100-continue, x\r\nContent-Length: 1", "x")},
        {"9110 10.1.1 empty expectation", 417, post("Expect:\r\nContent-Length: 1", "x")},
        {"9110 10.1.1 two expectations", 417,
         post("Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1", "x")},
        {"9110 7.6.1 Connection names Host", 400, get("Connection: host")},
        {"9110 7.6.1 Connection names a length", 400,
         post("Connection: close, Content-Length\r\nContent-Length: 1", "x")},
        {"9110 7.6.1 Connection names the coding", 400,
         post("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked", "0\r\n\r\n")},
        {"9110 7.6.1 Connection names Authorization", 400,
         get("Connection: authorization\r\nAuthorization: x")},
        {"9110 7.6.1 Connection names Cookie", 400, get("Connection: keep-alive, cookie")},
        {"9110 7.6.1 Connection is no list of tokens", 400, get("Connection: a b")},
        {"9110 7.6.1 Connection is no list of tokens", 400, get("Connection: \"close\"")},
        {"9110 7.6.1 Connection is no list of tokens", 400, get("Connection: close;x")},
    };
}

inline std::vector<RefusedMessage> refused_framing() {
    const std::string end = "0\r\n\r\n";
    return {
        {"6.1 unknown coding", 400, post("Transfer-Encoding: xchunked", end)},
        {"6.1 identity", 400, post("Transfer-Encoding: identity", "")},
        {"6.1 gzip", 400, post("Transfer-Encoding: gzip", end)},
        {"6.1 gzip, chunked", 400, post("Transfer-Encoding: gzip, chunked", end)},
        {"6.1 chunked not last", 400, post("Transfer-Encoding: chunked, gzip", end)},
        {"7.1 chunked twice", 400, post("Transfer-Encoding: chunked, chunked", end)},
        {"7.1 chunked in two fields", 400,
         post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", end)},
        {"6.1 identity, then chunked", 400,
         post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", end)},
        {"6.1 chunked, then identity", 400,
         post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", end)},
        {"9110 5.6.1 empty element first", 400, post("Transfer-Encoding: ,chunked", end)},
        {"9110 5.6.1 empty element last", 400, post("Transfer-Encoding: chunked,", end)},
        {"6.1 empty coding", 400, post("Transfer-Encoding:", end)},
        {"6.1 quoted", 400, post("Transfer-Encoding: \"chunked\"", end)},
        {"6.1 parameter", 400, post("Transfer-Encoding: chunked;q=1", end)},
        {"6.1 two words", 400, post("Transfer-Encoding: chunked x", end)},
        {"6.1 8-bit", 400, post("Transfer-Encoding: chunked\xA0", end)},
        {"9110 5.5 vertical tab", 400,
         post("Transfer-Encoding: \x0b"
              "chunked",
              end)},
        {"6.1 coding and length", 400, post("Transfer-Encoding: chunked\r\nContent-Length: 5", end)},
        {"6.1 length and coding", 400, post("Content-Length: 5\r\nTransfer-Encoding: chunked", end)},
        {"6.1 unknown coding and length", 400, post("Transfer-Encoding: x\r\nContent-Length: 5", "hello")},
        {"6.1 coding in HTTP/1.0", 400,
         "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + end},
        {"6.3 length twice", 400, post("Content-Length: 5\r\nContent-Length: 6", "hello")},
        {"6.3 length twice, equal", 400, post("Content-Length: 5\r\nContent-Length: 5", "hello")},
        {"6.3 list of lengths", 400, post("Content-Length: 5, 5", "hello")},
        {"6.3 list of lengths", 400, post("Content-Length: 5,6", "hello")},
        {"9110 8.6 empty length", 400, post("Content-Length:", "hello")},
        {"9110 8.6 plus", 400, post("Content-Length: +5", "hello")},
        {"9110 8.6 minus", 400, post("Content-Length: -5", "hello")},
        {"9110 8.6 hexadecimal", 400, post("Content-Length: 0x5", "hello")},
        {"9110 8.6 letters", 400, post("Content-Length: 5a", "hello")},
        {"9110 8.6 space inside", 400, post("Content-Length: 5 5", "hello")},
        {"9110 8.6 fraction", 400, post("Content-Length: 5.0", "hello")},
        {"9110 8.6 exponent", 400, post("Content-Length: 5e0", "hello")},
        {"ours: leading zero", 400, post("Content-Length: 05", "hello")},
        {"ours: leading zero", 400, post("Content-Length: 010", "hello")},
        {"ours: leading zero", 400, post("Content-Length: 00", "")},
        {"9110 8.6 overflow", 400, post("Content-Length: 18446744073709551617", "x")},
        {"9110 8.6 overflow", 400, post("Content-Length: 99999999999999999999999", "x")},
        {"ours: body over the limit", 413, post("Content-Length: 6291457", "x")},
        {"ours: body far over the limit", 413, post("Content-Length: 999999999999999999", "x")},
    };
}

inline std::vector<RefusedMessage> refused_chunks() {
    return {
        {"7.1 no size", 400, chunked("\r\nhello\r\n0\r\n\r\n")},
        {"7.1 not a size", 400, chunked("x\r\nhello\r\n0\r\n\r\n")},
        {"7.1 hexadecimal prefix", 400, chunked("0x5\r\nhello\r\n0\r\n\r\n")},
        {"7.1 sign", 400, chunked("+5\r\nhello\r\n0\r\n\r\n")},
        {"7.1 sign", 400, chunked("-5\r\nhello\r\n0\r\n\r\n")},
        {"7.1 space before the size", 400, chunked(" 5\r\nhello\r\n0\r\n\r\n")},
        {"7.1 space after the size", 400, chunked("5 \r\nhello\r\n0\r\n\r\n")},
        {"7.1 tab after the size", 400, chunked("5\t\r\nhello\r\n0\r\n\r\n")},
        {"7.1 underscore", 400, chunked("5_0\r\nhello\r\n0\r\n\r\n")},
        {"7.1 17 digits", 400, chunked("00000000000000005\r\nhello\r\n0\r\n\r\n")},
        {"7.1 overflow", 400, chunked("10000000000000005\r\nhello\r\n0\r\n\r\n")},
        {"7.1 too large", 413, chunked("ffffffffffffffff\r\nhello\r\n0\r\n\r\n")},
        {"7.1 too large together", 413, chunked("5\r\nhello\r\nfffffffffffffff0\r\nh")},
        {"7.1 bare LF after the size", 400, chunked("5\nhello\r\n0\r\n\r\n")},
        {"7.1 CR CR LF after the size", 400, chunked("5\r\r\nhello\r\n0\r\n\r\n")},
        {"7.1 CR alone after the size", 400, chunked("5\rhello\r\n0\r\n\r\n")},
        {"7.1 data too long", 400, chunked("4\r\nhello\r\n0\r\n\r\n")},
        {"7.1 data too short", 400, chunked("6\r\nhello\r\n0\r\n\r\n")},
        {"7.1 bare LF after the data", 400, chunked("5\r\nhello\n0\r\n\r\n")},
        {"7.1 nothing after the data", 400, chunked("5\r\nhello0\r\n\r\n")},
        {"7.1 spilled byte", 400, chunked("5\r\nhello\r\nX0\r\n\r\n")},
        {"7.1.1 empty extension", 400, chunked("5;\r\nhello\r\n0\r\n\r\n")},
        {"7.1.1 extension without a name", 400, chunked("5;=a\r\nhello\r\n0\r\n\r\n")},
        {"7.1.1 bare LF in an extension", 400, chunked("5;a\nhello\r\n0\r\n\r\n")},
        {"7.1.1 bare LF in a quoted extension", 400, chunked("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n")},
        {"7.1.1 NUL in an extension", 400, with_byte(chunked("5;a@b\r\nhello\r\n0\r\n\r\n"), '\0')},
        {"7.1.1 8-bit in an extension", 400, chunked("5;a=\xFF\r\nhello\r\n0\r\n\r\n")},
        {"ours: extension over 1 KiB", 400,
         chunked("5;" + std::string(1025, 'a') + "\r\nhello\r\n0\r\n\r\n")},
        {"ours: extensions over 1 KiB together", 400,
         [] {
             std::string body;
             for (int i = 0; i < 60; ++i) body += "1;" + std::string(20, 'a') + "\r\nx\r\n";
             return chunked(body + "0\r\n\r\n");
         }()},
        {"7.1.2 trailer without a colon", 400, chunked("0\r\nA\r\n\r\n")},
        {"7.1.2 trailer with a space before the colon", 400, chunked("0\r\nA : b\r\n\r\n")},
        {"7.1.2 folded trailer", 400, chunked("0\r\nA: b\r\n c\r\n\r\n")},
        {"7.1.2 trailer without a name", 400, chunked("0\r\n: b\r\n\r\n")},
        {"7.1.2 bare LF in a trailer", 400, chunked("0\r\nA: b\n\r\n")},
        {"7.1.2 NUL in a trailer", 400, with_byte(chunked("0\r\nA: b@c\r\n\r\n"), '\0')},
        {"7.1.2 bare LF ends the trailers", 400, chunked("0\r\n\n")},
        {"7.1.2 CR without LF ends the trailers", 400, chunked("0\r\n\rX")},
        {"ours: trailer over 32 KiB", 431, chunked("0\r\nA: " + std::string(33'000, 'x') + "\r\n\r\n")},
        {"ours: over 100 trailers", 431,
         [] {
             std::string body = "0\r\n";
             for (int i = 0; i < 101; ++i) body += "A: b\r\n";
             return chunked(body + "\r\n");
         }()},
        {"6.3 a request inside the last chunk", 400, chunked("0\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n")},
    };
}

}  // namespace hks::net::test

// SPDX-License-Identifier: Apache-2.0
#include "api/multipart.hpp"

#include <catch2/catch.hpp>

using namespace hks;
using namespace hks::api;

namespace {

const std::string type = "multipart/form-data; boundary=abc";

std::string part(const std::string& head, const std::string& body) {
    return "--abc\r\n" + head + "\r\n\r\n" + body + "\r\n";
}
std::string named(const std::string& name, const std::string& body) {
    return part("Content-Disposition: form-data; name=\"" + name + "\"", body);
}
const std::string end = "--abc--\r\n";

bool refused(const std::string& content_type, const std::string& body) {
    const auto parts = parse_multipart(content_type, body);
    return !parts && parts.error().code == Errc::validation_error;
}

}  // namespace

TEST_CASE("multipart gives every part with its name, file name and type") {
    const std::string body =
        named("spec", "{}") +
        part(
            "Content-Disposition: form-data; name=archive; filename=\"a \\\"b\\\".zip\"\r\n"
            "Content-Type: Application/ZIP; x=y",
            "PK\r\n--ab") +
        end;
    const auto parts = parse_multipart(type, body);
    REQUIRE(parts.has_value());
    REQUIRE(parts->size() == 2);
    CHECK(parts->at(0).name == "spec");
    CHECK(parts->at(0).body == "{}");
    CHECK(parts->at(1).filename == "a \"b\".zip");
    CHECK(parts->at(1).content_type == "application/zip");
    CHECK(parts->at(1).body == "PK\r\n--ab");
}

TEST_CASE("multipart reads a quoted boundary with spaces in it") {
    const std::string body = "--a b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--a b--";
    const auto parts = parse_multipart("multipart/form-data; boundary=\"a b\"", body);
    REQUIRE(parts.has_value());
    CHECK(parts->at(0).body == "1");
}

TEST_CASE("multipart keeps binary bodies as they are") {
    const std::string bytes("\0\r\n\xff--abc\r\n", 12);
    const std::string whole = named("archive", bytes) + end;  // the parts are views of it
    const auto parts = parse_multipart(type, whole);
    REQUIRE(parts.has_value());
    CHECK(parts->at(0).body == bytes);
}

TEST_CASE("multipart reads a part without content") {
    const auto parts = parse_multipart(type, named("x", "") + end);
    REQUIRE(parts.has_value());
    CHECK(parts->at(0).body.empty());
}

TEST_CASE("multipart reads a form without parts") {
    CHECK(parse_multipart(type, "--abc--")->empty());
}

TEST_CASE("multipart refuses content types that name no valid boundary") {
    const std::string body = named("x", "1") + end;
    CHECK(refused("multipart/mixed; boundary=abc", body));
    CHECK(refused("multipart/form-data", body));
    CHECK(refused("multipart/form-data; boundary=", body));
    CHECK(refused("multipart/form-data; boundary=\"abc", body));
    CHECK(refused("multipart/form-data; boundary=abc; boundary=abc", body));
    CHECK(refused("multipart/form-data; boundary=" + std::string(71, 'a'), body));
    CHECK(refused("multipart/form-data; boundary=\"a\\\r\nb\"", body));
}

TEST_CASE("multipart refuses a body that ends too early, at every byte") {
    const std::string whole = named("x", "1") + "--abc--";
    for (size_t n = 0; n < whole.size(); ++n) CHECK(refused(type, whole.substr(0, n)));
    CHECK_FALSE(refused(type, whole));
}

TEST_CASE("multipart refuses what comes before the first and after the last boundary") {
    CHECK(refused(type, "hello\r\n" + named("x", "1") + end));
    CHECK(refused(type, named("x", "1") + end + "more"));
}

TEST_CASE("multipart refuses two parts of the same name") {
    CHECK(refused(type, named("x", "1") + named("x", "2") + end));
}

TEST_CASE("multipart refuses parts without a usable name") {
    CHECK(refused(type, part("Content-Type: text/plain", "1") + end));
    CHECK(refused(type, part("Content-Disposition: attachment; name=x", "1") + end));
    CHECK(refused(type, part("Content-Disposition: form-data; name=\"\"", "1") + end));
    CHECK(refused(type, part("Content-Disposition: form-data; name=x; name=y", "1") + end));
    CHECK(refused(type, part("Content-Disposition: form-data; name=x; filename=a; filename=b", "1") + end));
    CHECK(refused(
        type,
        part("Content-Disposition: form-data; name=x\r\nContent-Disposition: form-data; name=y", "1") + end));
}

TEST_CASE("multipart refuses encodings and broken header lines") {
    const std::string head = "Content-Disposition: form-data; name=x\r\n";
    CHECK(refused(type, part(head + "Content-Transfer-Encoding: base64", "1") + end));
    CHECK(refused(type, part(head + "no colon", "1") + end));
    CHECK(refused(type, part(head + "a b: c", "1") + end));
    CHECK(refused(type, part(head + "a: b\x01", "1") + end));
}

TEST_CASE("multipart bounds parts and their headers") {
    std::string many;
    for (size_t i = 0; i <= max_parts; ++i) many += named("p" + std::to_string(i), "1");
    CHECK(refused(type, many + end));
    CHECK(refused(type, part("Content-Disposition: form-data; name=x\r\nX-Long: " +
                                 std::string(max_part_header_bytes, 'a'),
                             "1") +
                            end));
}

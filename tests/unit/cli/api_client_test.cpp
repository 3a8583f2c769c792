// SPDX-License-Identifier: Apache-2.0
#include "cli/api_client.hpp"

#include <catch2/catch.hpp>

using namespace hks::cli;

TEST_CASE("everything but unreserved characters is percent-encoded") {
    CHECK(url_encode("a-b_c.d~9") == "a-b_c.d~9");
    CHECK(url_encode("a/b c%ü") == "a%2Fb%20c%25%C3%BC");
}

TEST_CASE("percent-decoding undoes the encoding and leaves stray percent signs alone") {
    CHECK(url_decode("a%2Fb%20c%C3%BC") == "a/b c\xC3\xBC");
    CHECK(url_decode("100%") == "100%");
    CHECK(url_decode("%zz%4") == "%zz%4");
}

TEST_CASE("a multipart body holds its parts between boundaries") {
    auto [type, body] = make_multipart({{"spec", "", "application/json", "{}"}, {"archive", "f.tgz", "", "x"}});
    std::string boundary = type.substr(type.find("boundary=") + 9);
    CHECK(body.starts_with("--" + boundary + "\r\nContent-Disposition: form-data; name=\"spec\"\r\n"));
    CHECK(body.find("filename=\"f.tgz\"") != std::string::npos);
    CHECK(body.ends_with("--" + boundary + "--\r\n"));
}

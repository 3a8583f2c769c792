// SPDX-License-Identifier: Apache-2.0
#include <hks/net/http_client.hpp>

#include <catch2/catch.hpp>

using hks::net::Url;

TEST_CASE("URLs are taken apart") {
    struct Case {
        const char *text, *scheme, *host;
        int port;
        const char* target;
    };
    for (const Case& c :
         {Case{"http://a", "http", "a", 80, "/"}, Case{"https://a/", "https", "a", 443, "/"},
          Case{"HTTP://a.B:8080/x?y=z", "http", "a.B", 8080, "/x?y=z"},
          Case{"http://a?q", "http", "a", 80, "/?q"}, Case{"http://[::1]:81/x", "http", "::1", 81, "/x"},
          Case{"http://[::1]", "http", "::1", 80, "/"},
          Case{"http://127.0.0.1:1", "http", "127.0.0.1", 1, "/"},
          Case{"http://a/x%20y", "http", "a", 80, "/x%20y"}}) {
        INFO(c.text);
        const auto url = Url::parse(c.text);
        REQUIRE(url.has_value());
        CHECK(url->scheme == c.scheme);
        CHECK(url->host == c.host);
        CHECK(url->port == c.port);
        CHECK(url->target == c.target);
    }
}

TEST_CASE("what is no URL for us is an error that shows it") {
    for (const char* text : {"",
                             "a",
                             "a:80",
                             "//a/",
                             "ftp://a/",
                             "http:/a",
                             "http://",
                             "http:///x",
                             "http://a:0/",
                             "http://a:x/",
                             "http://a:65536/",
                             "http://a:/",
                             "http://u@a/",
                             "http://u:p@a/",
                             "http://a b/",
                             "http://a/b c",
                             "http://a/#x",
                             "http://a/\r\nX: y",
                             "http://[::1/",
                             "http://::1/",
                             "http://a\\b/",
                             "http://a/\\",
                             "javascript://a",
                             "http://a/\xC3\xA9"}) {
        INFO(text);
        const auto url = Url::parse(text);
        REQUIRE(url.has_error());
        CHECK(url.error().code == hks::Errc::validation_error);
        CHECK(url.error().message.find(text) != std::string::npos);
    }
}

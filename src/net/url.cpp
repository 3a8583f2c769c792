// SPDX-License-Identifier: Apache-2.0
#include "net/characters.hpp"
#include "net/request_target.hpp"

#include <hks/net/http_client.hpp>

#include <algorithm>

namespace hks::net {

Result<Url> Url::parse(const std::string& text) {
    const auto wrong = [&](const char* what) {
        return Error{Errc::validation_error,
                     "'" + text + "' is not a usable URL: " + what + ". Write it as http://host:port/path."};
    };
    const size_t scheme_end = text.find("://");
    if (scheme_end == std::string::npos) return wrong("the scheme is missing");
    Url url;
    for (char c : text.substr(0, scheme_end)) url.scheme += to_lower(c);
    if (url.scheme != "http" && url.scheme != "https") return wrong("only http and https are spoken");
    const size_t authority_begin = scheme_end + 3;
    const size_t authority_end = std::min(text.find_first_of("/?#", authority_begin), text.size());
    const std::string authority = text.substr(authority_begin, authority_end - authority_begin);
    if (authority.find('@') != std::string::npos) return wrong("user and password do not belong into it");
    if (!is_valid_authority(authority)) return wrong("the host or the port is malformed");
    const bool bracketed = authority.front() == '[';
    const size_t host_end = bracketed ? authority.find(']') : std::min(authority.find(':'), authority.size());
    url.host = bracketed ? authority.substr(1, host_end - 1) : authority.substr(0, host_end);
    const size_t colon = authority.find(':', bracketed ? host_end : 0);
    url.port = colon != std::string::npos ? static_cast<uint16_t>(std::stoi(authority.substr(colon + 1)))
                                          : (url.scheme == "https" ? 443 : 80);
    url.target = text.substr(authority_end);
    if (url.target.find('#') != std::string::npos) return wrong("a fragment is not sent to a server");
    if (!all_of_class(url.target, class_target)) return wrong("percent-encode spaces and special characters");
    if (url.target.empty() || url.target.front() != '/') url.target.insert(0, "/");
    return url;
}

}  // namespace hks::net

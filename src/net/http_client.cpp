// SPDX-License-Identifier: Apache-2.0
#include "net/characters.hpp"
#include "net/client_stream.hpp"

#include <hks/net/http_client.hpp>

#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/parser.hpp>

#include <optional>

namespace hks::net {

namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

/// A body that goes to a function as it is parsed.
struct SinkBody {
    using value_type = std::function<bool(std::string_view)>;

    class reader {
      public:
        template <bool is_request, class Fields>
        reader(http::header<is_request, Fields>&, value_type& sink) : sink_(sink) {}

        void init(const boost::optional<uint64_t>&, error_code& error) { error = {}; }
        template <class Buffers>
        size_t put(const Buffers& buffers, error_code& error) {
            size_t taken = 0;
            error = {};
            for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
                if (!sink_({static_cast<const char*>(buffer.data()), buffer.size()})) {
                    error = http::error::end_of_stream;
                    return taken;
                }
                taken += buffer.size();
            }
            return taken;
        }
        void finish(error_code& error) { error = {}; }

      private:
        value_type& sink_;
    };
};
using Parser = http::response_parser<SinkBody>;

constexpr size_t max_response_head = 64 * 1024;
constexpr size_t read_bytes = 64 * 1024;

Error nonsense(const std::string& reason) {
    return Error{Errc::provider_error, "The answer of the server cannot be read (" + reason +
                                           "). Check that the address is that of an hks server."};
}

/// It was there and went away: killed, restarted, or no server of ours at all.
Error cut_off(const std::string& url) {
    Error error(Errc::unavailable, "The server ended the connection to " + url.substr(0, url.find('?')) +
                                       " before its answer was complete. Check that it still runs, then try "
                                       "again.");
    error.details.emplace_back("connected", "true");
    return error;
}

Result<std::string> serialise_head(const ClientRequest& request, const Url& url) {
    const auto wrong = [](const std::string& what) {
        return Error{Errc::validation_error,
                     what + " cannot be sent. Take out the line breaks and special characters."};
    };
    if (request.method.empty() || !all_of_class(request.method, class_token)) return wrong("This method");
    const bool ipv6 = url.host.find(':') != std::string::npos;
    const bool default_port = url.port == (url.scheme == "https" ? 443 : 80);
    std::string head = request.method + ' ' + url.target +
                       " HTTP/1.1\r\nHost: " + (ipv6 ? '[' + url.host + ']' : url.host) +
                       (default_port ? "" : ':' + std::to_string(url.port)) + "\r\nConnection: close\r\n";
    bool agent = false, accept = false;
    for (const auto& [name, value] : request.headers) {
        if (name.empty() || !all_of_class(name, class_token) || !all_of_class(value, class_value))
            return wrong("The header '" + name + "'");
        agent |= equals_ignoring_case(name, "user-agent");
        accept |= equals_ignoring_case(name, "accept");
        head += name + ": " + value + "\r\n";
    }
    if (!agent) head += "User-Agent: hks\r\n";
    if (!accept) head += "Accept: */*\r\n";
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
        request.method == "PATCH")
        head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    return head + "\r\n";
}

void copy_head(const Parser& parser, ClientResponse& response) {
    response.status = static_cast<int>(parser.get().result_int());
    for (const auto& field : parser.get()) {
        std::string name;
        for (char c : field.name_string()) name += to_lower(c);
        response.headers.emplace_back(std::move(name), std::string(field.value()));
    }
}

/// One final answer out of the stream; interim ones (1xx) are passed over.
class AnswerReader {
  public:
    AnswerReader(ClientStream& stream, const ClientRequest& request, const BodyReader* reader)
        : stream_(stream), request_(request), reader_(reader) {
        begin();
    }

    Result<ClientResponse> read() {
        std::string input;
        for (;;) {
            const size_t before = input.size();
            input.resize(before + read_bytes);
            auto bytes = stream_.read(input.data() + before, read_bytes, request_.timeout);
            if (!bytes) return bytes.error();
            input.resize(before + *bytes);
            const error_code error = *bytes == 0 ? end_of_input() : take(input);
            if (ended_ || parser_->is_done()) break;
            if (*bytes == 0) return cut_off(request_.url);
            if (error && error != http::error::need_more) return nonsense(error.message());
        }
        ClientResponse response;
        copy_head(*parser_, response);
        response.body = std::move(body_);
        return response;
    }

  private:
    void begin() {
        parser_.emplace();
        parser_->eager(true);
        parser_->header_limit(max_response_head);
        parser_->body_limit(boost::none);
        parser_->skip(request_.method == "HEAD");
        parser_->get().body() = [this](std::string_view piece) {
            const bool success = parser_->get().result_int() / 100 == 2;
            if (reader_ == nullptr || !success)
                body_ += piece;
            else
                ended_ = !(*reader_)(piece);
            return !ended_;
        };
    }

    error_code take(std::string& input) {
        error_code error;
        for (;;) {
            input.erase(0, parser_->put(boost::asio::buffer(input), error));
            if (error || !parser_->is_done() || parser_->get().result_int() / 100 != 1) return error;
            begin();
            if (input.empty()) return error;
        }
    }

    error_code end_of_input() {
        error_code error;
        if (!parser_->got_some()) return http::error::end_of_stream;
        parser_->put_eof(error);
        return error;
    }

    ClientStream& stream_;
    const ClientRequest& request_;
    const BodyReader* reader_;
    std::optional<Parser> parser_;
    std::string body_;
    bool ended_ = false;
};

Result<ClientResponse> exchange(const ClientRequest& request, const BodyReader* reader) try {
    auto url = Url::parse(request.url);
    if (!url) return url.error();
    auto head = serialise_head(request, *url);
    if (!head) return head.error();
    auto stream = ClientStream::connect(*url, request.connect_timeout);
    if (!stream) return stream.error();
    // A server that refuses early answers before it has read everything: its answer, or that there is none,
    // says more than the failed write.
    if ((*stream)->write_all(*head, request.timeout))
        (void)(*stream)->write_all(request.body, request.timeout);
    return AnswerReader(**stream, request, reader).read();
} catch (const std::exception& e) {
    return nonsense(e.what());
}

}  // namespace

std::string ClientResponse::header(const std::string& name) const {
    for (const auto& [key, value] : headers)
        if (key == name) return value;
    return {};
}

Result<ClientResponse> http_request(const ClientRequest& request) {
    return exchange(request, nullptr);
}

Result<ClientResponse> http_stream(const ClientRequest& request, const BodyReader& reader) {
    return exchange(request, &reader);
}

}  // namespace hks::net

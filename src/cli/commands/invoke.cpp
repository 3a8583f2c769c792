// SPDX-License-Identifier: Apache-2.0
#include "command_table.hpp"

#include <hks/core/base64.hpp>

#include <CLI/CLI.hpp>

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

namespace hks::cli {

namespace {

struct InvokeOptions {
    std::string name, data, method = "POST", path = "/";
    std::vector<std::string> headers;
    int version = 0;
    bool verbose = false;
};

/// The text itself, @FILE, or - for standard input.
Result<std::string> read_data(const std::string& data) {
    if (data == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
    if (!data.starts_with('@')) return data;
    std::ifstream file(data.substr(1), std::ios::binary);
    if (!file)
        return Error(Errc::validation_error, "The file " + data.substr(1) + " cannot be read. Check the path after @.");
    return std::string(std::istreambuf_iterator<char>(file), {});
}

Result<Json> make_headers(const std::vector<std::string>& lines, const std::string& body) {
    Json headers = Json::object();
    bool has_type = false;
    for (const std::string& line : lines) {
        size_t colon = line.find(':');
        if (colon == std::string::npos || colon == 0)
            return Error(Errc::validation_error, "-H takes 'Name: value', not '" + line + "'.");
        std::string name = line.substr(0, colon);
        for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        size_t begin = line.find_first_not_of(" \t", colon + 1);
        headers[name].push_back(begin == std::string::npos ? "" : line.substr(begin));
        has_type = has_type || name == "content-type";
    }
    if (!has_type && !body.empty() && Json::accept(body)) headers["content-type"].push_back("application/json");
    return headers;
}

void print_verbose(const Json& answer) {
    std::cerr << "status: " << text(answer, "status_code") << "\n";
    const Json headers = answer.value("headers", Json::object());
    for (const auto& [name, values] : headers.items()) {
        for (const auto& value : values.is_array() ? values : Json::array({values}))
            std::cerr << name << ": " << printable(value.is_string() ? value.get<std::string>() : value.dump())
                      << "\n";
    }
    std::cerr << "duration: " << text(answer, "duration_ms") << " ms\ncold start: " << text(answer, "cold_start")
              << "\nversion: " << text(answer, "version") << "\ninvocation: " << text(answer, "invocation_id") << "\n"
              << std::endl;
}

int invoke(const Context& context, const InvokeOptions& options) {
    auto data = read_data(options.data);
    if (!data) return fail(data.error());
    auto headers = make_headers(options.headers, *data);
    if (!headers) return usage_error(headers.error().message);

    std::string path = options.path.starts_with('/') ? options.path : "/" + options.path;
    Json query = Json::object();
    if (size_t mark = path.find('?'); mark != std::string::npos) {
        std::string rest = path.substr(mark + 1);
        path.resize(mark);
        for (size_t begin = 0; begin <= rest.size();) {
            size_t end = std::min(rest.find('&', begin), rest.size());
            std::string pair = rest.substr(begin, end - begin);
            size_t equals = pair.find('=');
            if (!pair.empty())
                query[url_decode(pair.substr(0, equals))].push_back(
                    equals == std::string::npos ? "" : url_decode(pair.substr(equals + 1)));
            begin = end + 1;
        }
    }
    Json body{{"method", options.method}, {"path", path}, {"headers", *headers}, {"body", base64_encode(*data)}};
    if (!query.empty()) body["query"] = query;
    if (options.version > 0) body["version"] = options.version;

    ApiClient api = context.api();
    auto answer = api.call("POST", api.in_workspace("/functions/" + url_encode(options.name) + "/invoke"), body);
    if (!answer) return fail(answer.error());
    int status = answer->value("status_code", 0);
    if (options.verbose && !context.printer().structured()) print_verbose(*answer);
    context.printer().object(*answer, "invocation_id", [&] {
        auto content = base64_decode(text(*answer, "body"));
        std::string bytes = content ? *content : "";
        std::cout << bytes;
        if (!bytes.empty() && !bytes.ends_with('\n') && ::isatty(STDOUT_FILENO)) std::cout << "\n";
        std::cout << std::flush;
    });
    if (answer->contains("error") && (*answer)["error"].is_object()) {
        const Json& error = (*answer)["error"];
        std::cerr << "error: the function answered with status " << status << ": "
                  << printable(text(error, "type") + ": " + text(error, "message")) << " [INVOCATION_FAILED]\n"
                  << printable(text(error, "stack")) << std::endl;
        return 1;
    }
    if (status >= 400)
        std::cerr << "error: the function answered with status " << status << ". See 'hks function logs "
                  << options.name << " --invocation " << text(*answer, "invocation_id") << "'." << std::endl;
    return status >= 400 ? 1 : 0;
}

}  // namespace

void add_invoke(CLI::App& function, Context& context) {
    auto options = std::make_shared<InvokeOptions>();
    CLI::App* command = function.add_subcommand("invoke", "Call a function and print its answer");
    command->add_option("NAME", options->name, "Name or id")->required();
    command->add_option("-d,--data", options->data, "Body: the text itself, @FILE, or - for standard input")
        ->type_name("DATA");
    command->add_option("-H,--header", options->headers, "'Name: value', repeatable")->allow_extra_args(false);
    command->add_option("--method", options->method, "HTTP method (POST)");
    command->add_option("--path", options->path, "Path the function sees, with its query (/)");
    command->add_option("--version", options->version, "Version number (the active one)")->check(CLI::PositiveNumber);
    command->add_flag("-v,--verbose", options->verbose, "Also print status, headers, duration and invocation id");
    command->callback(
        [&context, options] { context.action = [&context, options] { return invoke(context, *options); }; });
}

}  // namespace hks::cli

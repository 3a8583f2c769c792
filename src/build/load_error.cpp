// SPDX-License-Identifier: Apache-2.0
#include "load_error.hpp"

#include <array>

namespace hks::build {
namespace {

struct Hint {
    std::string_view language;  ///< "" = any
    std::string_view sign;      ///< found in "Type: message"
    std::string_view advice;
};

// The first that fits.
constexpr std::array<Hint, 7> hints{{
    {"python", "ModuleNotFoundError", "Add its package to requirements.txt and deploy again."},
    {"node", "Cannot find module '.", "Put the file into the function's folder and deploy again."},
    {"node", "Cannot find module '/", "Put the file into the function's folder and deploy again."},
    {"node", "Cannot find module", "Add it to the dependencies in package.json and deploy again."},
    {"node", "Cannot find package", "Add it to the dependencies in package.json and deploy again."},
    {"", "SyntaxError", "The build log shows the line: correct it and deploy again."},
    {"", "IndentationError", "The build log shows the line: correct it and deploy again."},
}};

/// Node puts the list of requiring files below the first line.
std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

}  // namespace

Error load_error(std::string_view language, const runtime::ExitInfo& why) {
    if (why.out_of_memory)
        return Error(Errc::build_failed, "Loading the function " + why.reason + ". Raise resources.memory.");
    if (why.type.empty() && why.message.empty())
        return Error(Errc::build_failed, "The function could not be loaded: its process " + why.reason +
                                             ". What it printed is in the build log.");
    std::string text = first_line(why.message);
    if (!why.type.empty()) text = why.type + (text.empty() ? "" : ": " + text);
    for (const Hint& hint : hints)
        if ((hint.language.empty() || hint.language == language) && text.find(hint.sign) != std::string::npos)
            return Error(Errc::build_failed, text + ". " + std::string(hint.advice));
    return Error(Errc::build_failed,
                 text + (text.ends_with('.') ? "" : ".") + " The build log has the whole of it.");
}

}  // namespace hks::build

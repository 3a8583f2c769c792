// SPDX-License-Identifier: Apache-2.0
#include "deploy_report.hpp"

#include "printer.hpp"

#include <cstdio>

namespace hks::cli {

std::string deploy_outcome(const Json& function, int version, bool no_traffic, double seconds) {
    char took[32];
    std::snprintf(took, sizeof took, "%.2f s", seconds);
    const std::string name = text(function, "name"), number = std::to_string(version);
    const std::string active = text(function, "active_version");
    const std::string begin = "Function " + name + " version " + number + " is ";
    if (!no_traffic && active == number) return begin + "live after " + took + ".";
    if (no_traffic && active != number)
        return begin + "ready, without traffic after " + took + ".\nTry it: hks function invoke " + name +
               " --version " + number;
    // Another deploy, or a rollback, came between.
    if (active.empty()) return begin + "ready after " + took + ", but no version is live.";
    return begin + "ready after " + took + ", but version " + active + " is live ('hks function rollback " + name +
           " --to " + number + "' switches to this one).";
}

std::string who_may_call(const std::string& function, const Json& triggers) {
    std::string open_urls;
    size_t enabled = 0, open = 0;
    for (const Json& trigger : triggers) {
        if (!trigger.value("enabled", false)) continue;
        const std::string auth = text(trigger, "auth");
        if (auth.empty()) return "";
        ++enabled;
        if (auth != "public") continue;
        ++open;
        open_urls += (open_urls.empty() ? "" : ", ") + text(trigger, "url");
    }
    if (triggers.empty())
        return "No trigger leads to it: only 'hks function invoke " + function +
               "' calls it. Give it an address with 'hks function trigger add " + function + "'.";
    if (enabled == 0)
        return "All its triggers are disabled: only 'hks function invoke " + function +
               "' calls it. Switch one on with 'hks function trigger enable " + function + " " +
               text(triggers[0], "name") + "'.";
    if (open == 0) return "It is not public: callers need a token ('hks token create NAME --scope invoke' makes one).";
    const std::string which = triggers.size() == 1 ? "" : "--trigger-config name=TRIGGER ";
    return (open == enabled ? std::string("It is public") : "It is public at " + open_urls) +
           ": whoever reaches the server may call it (" + which +
           "--trigger-config auth.type=token asks for a token).";
}

}  // namespace hks::cli

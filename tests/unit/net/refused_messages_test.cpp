// SPDX-License-Identifier: Apache-2.0
#include "refused_messages.hpp"

#include "message_judge.hpp"

#include <catch2/catch.hpp>

using namespace hks::net;
using namespace hks::net::test;

namespace {

using Table = std::vector<RefusedMessage> (*)();
constexpr Table tables[] = {refused_request_lines, refused_targets, refused_hosts,
                            refused_fields,        refused_framing, refused_chunks};

std::string visible(std::string_view bytes) {
    std::string text;
    for (char c : bytes.substr(0, 200)) {
        if (c == '\r')
            text += "\\r";
        else if (c == '\n')
            text += "\\n";
        else
            text += c;
    }
    return text;
}

}  // namespace

TEST_CASE("ambiguous and malformed messages are refused with their status") {
    for (Table table : tables)
        for (const RefusedMessage& message : table()) {
            INFO(message.section << ": " << visible(message.bytes));
            const Verdict verdict = judge_whole(message.bytes);
            CHECK(verdict.status == message.status);
            CHECK(verdict.messages.empty());
        }
}

TEST_CASE("a refusal does not depend on how the bytes arrive: one by one") {
    for (Table table : tables)
        for (const RefusedMessage& message : table()) {
            INFO(message.section << ": " << visible(message.bytes));
            CHECK(judge_bytewise(message.bytes) == judge_whole(message.bytes));
        }
}

TEST_CASE("a refusal does not depend on how the bytes arrive: split at every position") {
    for (Table table : tables)
        for (const RefusedMessage& message : table()) {
            const Verdict whole = judge_whole(message.bytes);
            const size_t stride = message.bytes.size() > 2000 ? 97 : 1;
            bool same = true;
            for (size_t at = 0; at <= message.bytes.size(); at += stride)
                same = same && judge_split(message.bytes, at) == whole;
            INFO(message.section << ": " << visible(message.bytes));
            CHECK(same);
        }
}

TEST_CASE("the table of refused messages is not thinned out") {
    size_t count = 0;
    for (Table table : tables) count += table().size();
    CHECK(count >= 230);
}

// SPDX-License-Identifier: Apache-2.0
#include <hks/core/suggest.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace hks {
namespace {

/// Restricted Damerau-Levenshtein distance.
size_t edits(std::string_view a, std::string_view b) {
    std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
    for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
    for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t replace = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replace});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a.size()][b.size()];
}

}  // namespace

std::string_view closest_name(std::string_view word, std::span<const std::string_view> candidates) {
    if (word.size() > 64) return {};
    std::string_view best;
    size_t best_edits = std::min<size_t>(3, std::max<size_t>(1, word.size() / 3)) + 1;
    for (const auto candidate : candidates) {
        if (candidate == word || candidate.size() > 64) continue;
        const size_t n = edits(word, candidate);
        if (n < best_edits && n < candidate.size()) {
            best = candidate;
            best_edits = n;
        }
    }
    return best;
}

}  // namespace hks

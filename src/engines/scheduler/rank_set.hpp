// engines/scheduler/rank_set.hpp: a set of small integers, walked in order, 64 at a step.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace weir::scheduler {

/// Members are ranks of nodes in name order, so walking the set is walking the nodes by name.
class RankSet {
public:
    static constexpr std::uint32_t none = UINT32_MAX;

    void insert(std::uint32_t rank) {
        const std::size_t word = rank / 64;
        if (word >= words_.size()) {
            words_.resize(word + 1);
            summary_.resize(word / 64 + 1);
        }
        words_[word] |= bit(rank);
        summary_[word / 64] |= bit(word);
    }

    void erase(std::uint32_t rank) {
        const std::size_t word = rank / 64;
        if (word >= words_.size()) return;
        words_[word] &= ~bit(rank);
        if (words_[word] == 0) summary_[word / 64] &= ~bit(word);
    }

    /// The smallest member not below `from`, or none.
    [[nodiscard]] std::uint32_t next(std::uint32_t from) const {
        std::size_t word = from / 64;
        if (word >= words_.size()) return none;
        if (const auto rest = words_[word] & (~0ULL << (from % 64)); rest != 0) return first(word, rest);
        ++word;
        for (std::size_t block = word / 64; block < summary_.size(); ++block) {
            auto rest = summary_[block];
            if (block == word / 64) rest &= ~0ULL << (word % 64);
            if (rest == 0) continue;
            const std::size_t found = block * 64 + static_cast<std::size_t>(std::countr_zero(rest));
            return first(found, words_[found]);
        }
        return none;
    }

private:
    static constexpr std::uint64_t bit(std::size_t index) { return 1ULL << (index % 64); }
    static std::uint32_t first(std::size_t word, std::uint64_t bits) {
        return static_cast<std::uint32_t>(word * 64) + static_cast<std::uint32_t>(std::countr_zero(bits));
    }

    std::vector<std::uint64_t> words_;
    std::vector<std::uint64_t> summary_;  ///< One bit per word that is not empty.
};

}  // namespace weir::scheduler

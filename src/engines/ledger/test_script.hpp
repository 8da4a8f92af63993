// engines/ledger/test_script.hpp: ledger cases as text, for tests only.
//
// One command a line, '#' starts a comment. Names stand for ids: an account's by name, a transfer's by name and the
// time it is first used at.
//
//     at 100                                 now is second 100
//     open pool available [ledger=1] [-> exists]      bound: the code's own, or bound=credits
//     freeze|thaw|close pool [-> answer]
//     move t1 pool v1 500 [key=value...] -> applied   also hold, sweep (balancing); a last '&' links to the next line
//     move t1 pool v1 501 -> exceeds_credits 500     the amount that was possible
//     post t2 h1 300 -> applied              also void (no amount); '*' is the whole amount
//     expire 10 -> h1 h2                     ends due holds, names those that ended, '-' is none
//     forget
//     sums v1 debits 100 posted 20 held credits 500 posted 0 held
//
// Keys of a transfer: timeout, ledger, code, cause, actor, second, made (time in its id), from, to, pending, flags.
#pragma once

#include "engines/ledger/ledger.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace weir::ledger {

class Script {
public:
    explicit Script(Options options = {}) : ledger_(options), replayed_(options) {}

    /// Runs the script and checks, after each batch: every law, and that the facts alone lead to the same state.
    void run(std::string_view text) {
        std::istringstream lines{std::string{text}};
        std::string line;
        while (std::getline(lines, line)) {
            ++number_;
            line = line.substr(0, line.find('#'));
            std::istringstream stream(line);
            std::vector<std::string> words;
            for (std::string word; stream >> word;) words.push_back(word);
            if (!words.empty()) command(words);
        }
        EXPECT_TRUE(batch_.empty()) << "the script ends inside a chain";
    }

    [[nodiscard]] Ledger& ledger() { return ledger_; }
    [[nodiscard]] const std::vector<Fact>& facts() const { return facts_; }
    [[nodiscard]] AccountId account(const std::string& name) const { return account_id_of(1, AccountCode::available, name); }
    [[nodiscard]] TransferId transfer(const std::string& name) { return transfer_made(name, now_); }

private:
    using Words = std::vector<std::string>;

    void command(const Words& words) {
        const std::string& verb = words[0];
        if (verb == "move" || verb == "hold" || verb == "sweep" || verb == "post" || verb == "void") return add_transfer(words);
        if (verb == "at") {
            now_ = Instant{} + seconds(std::stoll(words[1]));
        } else if (verb == "open") {
            open(words);
        } else if (verb == "freeze" || verb == "thaw") {
            const auto fact = ledger_.decide_freeze(account(words[1]), verb == "freeze", now_);
            settle(fact ? std::optional<Fact>{*fact} : std::nullopt, fact ? "done" : name_of(fact.error()), words);
        } else if (verb == "close") {
            const auto fact = ledger_.decide_close(account(words[1]), now_);
            settle(fact ? std::optional<Fact>{*fact} : std::nullopt, fact ? "done" : name_of(fact.error()), words);
        } else if (verb == "expire") {
            expire(words);
        } else if (verb == "forget") {
            if (const auto fact = ledger_.decide_forget(now_)) apply(*fact);
        } else if (verb == "sums") {
            sums(words);
        } else {
            ADD_FAILURE() << "line " << number_ << ": no such command: " << verb;
        }
        check();
    }

    static std::string expected(const Words& words, std::string_view otherwise) {
        for (std::size_t i = 0; i + 1 < words.size(); ++i) {
            if (words[i] == "->") return words[i + 1];
        }
        return std::string{otherwise};
    }

    /// The number that follows the answer, if there is one.
    static std::optional<std::int64_t> expected_limit(const Words& words) {
        const auto arrow = std::ranges::find(words, "->");
        if (words.end() - arrow < 3 || *(arrow + 2) == "&") return std::nullopt;
        return std::stoll(*(arrow + 2));
    }

    static std::map<std::string, std::string> keys(const Words& words) {
        std::map<std::string, std::string> found;
        for (const std::string& word : words) {
            if (const auto at = word.find('='); at != std::string::npos) found[word.substr(0, at)] = word.substr(at + 1);
        }
        return found;
    }

    static AccountCode code_named(const std::string& name) {
        static const std::map<std::string, AccountCode> codes{
            {"appropriation", AccountCode::appropriation}, {"available", AccountCode::available},
            {"voucher", AccountCode::voucher},             {"redeemed", AccountCode::redeemed},
            {"expired", AccountCode::expired},             {"revoked", AccountCode::revoked},
            {"cap_source", AccountCode::cap_source},       {"entity_cap", AccountCode::entity_cap},
            {"cap_used", AccountCode::cap_used},           {"treasury", AccountCode::treasury},
            {"buyer", AccountCode::buyer},                 {"bank", AccountCode::bank},
            {"supplier", AccountCode::supplier},           {"prepaid", AccountCode::buyer_prepaid},
            {"nonsense", static_cast<AccountCode>(299)}};
        return codes.at(name);
    }

    void open(const Words& words) {
        auto given = keys(words);
        const AccountCode code = code_named(words[2]);
        AccountSpec spec{.id = words[1] == "nil" ? AccountId{} : account(words[1]), .ledger = 1, .code = code};
        spec.bound = required_bound(code).value_or(Bound::none);
        if (given.contains("ledger")) spec.ledger = static_cast<LedgerId>(std::stoul(given["ledger"]));
        if (given.contains("bound")) spec.bound = static_cast<Bound>(std::stoul(given["bound"]));
        const auto fact = ledger_.decide_account(spec, now_);
        settle(fact ? std::optional<Fact>{*fact} : std::nullopt, fact ? "done" : name_of(fact.error()), words);
    }

    void settle(const std::optional<Fact>& fact, std::string_view answer, const Words& words) {
        EXPECT_EQ(answer, expected(words, "done")) << "line " << number_;
        if (fact) apply(*fact);
    }

    void add_transfer(const Words& words) {
        const std::string& verb = words[0];
        auto given = keys(words);
        const bool resolves = verb == "post" || verb == "void";
        const Instant made = given.contains("made") ? Instant{} + seconds(std::stoll(given["made"])) : now_;
        Transfer t;
        if (words[1] != "nil") t.id = transfer_made(words[1], made);
        if (verb == "hold") t.flags |= flag::pending;
        if (verb == "sweep") t.flags |= flag::balancing_debit;
        if (verb == "post") t.flags |= flag::post_pending;
        if (verb == "void") t.flags |= flag::void_pending;
        if (words.back() == "&") t.flags |= flag::linked;
        t.code = usual_code(verb);
        if (resolves) {
            t.pending_id = words[2] == "nil" ? TransferId{} : transfer_made(words[2], now_);
            if (verb == "post") t.amount = amount_of(words[3]);
        } else {
            t.debit = words[2] == "nil" ? AccountId{} : account(words[2]);
            t.credit = words[3] == "nil" ? AccountId{} : account(words[3]);
            t.amount = amount_of(words[4]);
            t.ledger = 1;
        }
        if (given.contains("timeout")) t.timeout = seconds(std::stoll(given["timeout"]));
        if (given.contains("ledger")) t.ledger = static_cast<LedgerId>(std::stoul(given["ledger"]));
        if (given.contains("code")) t.code = static_cast<TransferCode>(std::stoul(given["code"]));
        if (given.contains("flags")) t.flags = static_cast<std::uint16_t>(std::stoul(given["flags"]));
        if (given.contains("cause")) t.cause = {0, std::stoull(given["cause"])};
        if (given.contains("actor")) t.actor = {0, std::stoull(given["actor"])};
        if (given.contains("second")) t.second_actor = {0, std::stoull(given["second"])};
        if (given.contains("from")) t.debit = account(given["from"]);
        if (given.contains("to")) t.credit = account(given["to"]);
        if (given.contains("pending")) t.pending_id = transfer_made(given["pending"], now_);
        batch_.push_back(t);
        answers_.push_back(expected(words, "applied"));
        limits_.push_back(expected_limit(words));
        lines_.push_back(number_);
        if (words.back() == "&") return;
        run_batch();
        check();
    }

    static TransferCode usual_code(const std::string& verb) {
        if (verb == "post") return TransferCode::redeem;
        if (verb == "void") return TransferCode::release;
        return verb == "hold" ? TransferCode::hold : TransferCode::award;
    }

    static std::int64_t amount_of(const std::string& word) { return word == "*" ? whole_amount : std::stoll(word); }

    void run_batch() {
        const BatchResult foreseen = ledger_.decide(batch_, now_);
        BatchResult result;
        const auto done = ledger_.execute(batch_, now_, result);
        EXPECT_TRUE(done.has_value());
        EXPECT_EQ(result.outcomes, foreseen.outcomes) << "line " << number_;
        EXPECT_EQ(result.facts, foreseen.facts) << "line " << number_;
        for (std::size_t i = 0; i < batch_.size(); ++i) {
            EXPECT_EQ(name_of(result.outcomes[i]), answers_[i]) << "line " << lines_[i];
            if (limits_[i]) EXPECT_EQ(result.limits[i], *limits_[i]) << "line " << lines_[i];
        }
        for (const Posting& posting : result.facts) replay(posting);
        batch_.clear();
        answers_.clear();
        limits_.clear();
        lines_.clear();
    }

    void expire(const Words& words) {
        std::string ended;
        for (const Posting& posting : ledger_.expire_due(now_, std::stoul(words[1]))) {
            apply(posting);
            for (const auto& [name, id] : transfers_) {
                if (id == posting.pending_id) ended += (ended.empty() ? "" : " ") + name;
            }
        }
        std::string wanted;
        for (std::size_t i = 3; i < words.size(); ++i) wanted += (wanted.empty() ? "" : " ") + words[i];
        EXPECT_EQ(ended.empty() ? "-" : ended, wanted) << "line " << number_;
    }

    void sums(const Words& words) {
        const Account* found = ledger_.account(account(words[1]));
        ASSERT_NE(found, nullptr) << "line " << number_;
        const auto side = [](std::int64_t posted, std::int64_t held) {
            return std::to_string(posted) + " posted " + std::to_string(held) + " held";
        };
        const std::string text = "debits " + side(found->debits_posted, found->debits_pending) + " credits " +
                                 side(found->credits_posted, found->credits_pending);
        std::string wanted;
        for (std::size_t i = 2; i < words.size(); ++i) wanted += (i > 2 ? " " : "") + words[i];
        EXPECT_EQ(text, wanted) << "line " << number_ << ": " << words[1];
    }

    void apply(const Fact& fact) {
        EXPECT_TRUE(ledger_.apply(fact).has_value()) << "line " << number_;
        replay(fact);
    }

    void replay(const Fact& fact) {
        facts_.push_back(fact);
        EXPECT_TRUE(replayed_.apply(fact).has_value()) << "line " << number_;
    }

    void check() {
        for (const Violation& violation : ledger_.verify()) {
            ADD_FAILURE() << "line " << number_ << ": " << name_of(violation.law) << ": " << violation.left << ", " << violation.right;
        }
        EXPECT_EQ(ledger_.export_state(), replayed_.export_state()) << "line " << number_ << ": facts lead elsewhere";
    }

    TransferId transfer_made(const std::string& name, Instant made) {
        const auto found = transfers_.find(name);
        if (found != transfers_.end()) return found->second;
        return transfers_[name] = transfer_id_of(made, name);
    }

    Ledger ledger_;
    Ledger replayed_;
    std::vector<Fact> facts_;
    std::map<std::string, TransferId> transfers_;
    std::vector<Transfer> batch_;
    std::vector<std::string> answers_;
    std::vector<std::optional<std::int64_t>> limits_;
    std::vector<int> lines_;
    Instant now_{};
    int number_ = 0;
};

}  // namespace weir::ledger

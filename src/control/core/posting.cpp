// Control's words to the ledger engine, and the engine's refusals in control's words.
#include "control/core/rules.hpp"

#include <fmt/format.h>

namespace weir::control {
namespace {

Refusal refusal_of(const ledger::Transfer& transfer, ledger::TransferOutcome outcome) {
    using enum ledger::TransferOutcome;
    const auto name = ledger::name_of(outcome);
    switch (outcome) {
        case exceeds_credits:
        case nothing_to_balance:
            return {RefusalCode::insufficient_funds,
                    fmt::format("transfer {} asks for {} fen and the account has less free; lower the amount", transfer.id.text(),
                                transfer.amount),
                    "amount",
                    {}};
        case id_too_old:
            return {RefusalCode::id_too_old,
                    fmt::format("transfer {} was made too long ago to tell whether it was carried out; make a new id", transfer.id.text()),
                    "id",
                    {}};
        case id_too_new:
            return {
                RefusalCode::id_from_the_future,
                fmt::format("transfer {} says it was made in the future; set the clock of the machine that made it", transfer.id.text()),
                "id",
                {}};
        default: break;
    }
    if (name.starts_with("exists_with_different")) {
        return {RefusalCode::already_exists_different,
                fmt::format("transfer {} came before and differs ({}); make a new id for a new transfer", transfer.id.text(), name),
                "id",
                {}};
    }
    return {RefusalCode::bad_value, fmt::format("the ledger refuses transfer {}: {}", transfer.id.text(), name), {}, {}};
}

Result<LedgerPosted, Refusal> judge(const Core& core, LedgerPosted facts, const std::vector<ledger::Transfer>& transfers, Instant now) {
    auto result = core.state.ledger.decide(facts.opened, transfers, now);
    for (std::size_t i = 0; i < transfers.size(); ++i) {
        using enum ledger::TransferOutcome;
        const auto outcome = result.outcomes[i];
        if (outcome != applied && outcome != exists && outcome != linked_event_failed) return fail(refusal_of(transfers[i], outcome));
    }
    facts.postings = std::move(result.facts);
    return facts;
}

}  // namespace

Result<LedgerPosted, Refusal> post(const Core& core, const std::vector<ledger::Transfer>& transfers, Instant now) {
    return judge(core, {}, transfers, now);
}

Result<LedgerPosted, Refusal> open_accounts(const Core& core, const std::vector<ledger::AccountSpec>& accounts, Instant now) {
    LedgerPosted facts;
    const auto have = [&] { return core.state.ledger.account_count() + facts.opened.size(); };
    for (const auto& spec : accounts) {
        auto opened = core.state.ledger.decide_account(spec, now);
        const bool is_new = opened || opened.error() == ledger::AccountOutcome::too_many_accounts;
        if (!is_new) continue;
        if (auto full = no_room(have(), ledger::Options{}.accounts_max, "accounts of the ledger", "run another network for what is new"))
            return fail(*std::move(full));
        if (opened) facts.opened.push_back(*opened);
    }
    return facts;
}

Result<LedgerPosted, Refusal> open_and_post(const Core& core, const std::vector<ledger::AccountSpec>& accounts,
                                            const std::vector<ledger::Transfer>& transfers, Instant now) {
    auto opened = WEIR_TRY(open_accounts(core, accounts, now));
    return judge(core, std::move(opened), transfers, now);
}

}  // namespace weir::control

// Money comes in: programmes, awards, deposits. What jobs hold and pay is in funding.cpp and settle.cpp.
#include "codec/encode.hpp"
#include "control/core/funding.hpp"
#include "control/core/rules.hpp"

#include <fmt/format.h>

#include <set>

namespace weir::control {
namespace {

using ledger::AccountCode;
using ledger::Bound;
using ledger::TransferCode;

/// What several transfers of one command have in common.
struct Asked {
    Uid actor;
    Uid cause;
    std::uint32_t policy_version = 0;  ///< Of the programme whose terms they follow.
};

ledger::Transfer transfer(const Asked& asked, ledger::TransferId id, ledger::LedgerId book, ledger::AccountId from, ledger::AccountId to,
                          Fen amount, TransferCode code) {
    ledger::Transfer made;
    made.id = id;
    made.ledger = book;
    made.debit = from;
    made.credit = to;
    made.amount = amount.value;
    made.code = code;
    made.cause = asked.cause;
    made.actor = asked.actor;
    made.policy_version = asked.policy_version;
    return made;
}

std::vector<ledger::AccountSpec> accounts_of(const State& state, const OpenedProgramme& opened) {
    std::vector<ledger::AccountSpec> accounts{
        {account::appropriation(opened), opened.voucher_ledger, AccountCode::appropriation, Bound::none},
        {account::available(opened), opened.voucher_ledger, AccountCode::available, Bound::debits_may_not_exceed_credits},
        {account::redeemed(opened), opened.voucher_ledger, AccountCode::redeemed, Bound::none},
        {account::expired(opened), opened.voucher_ledger, AccountCode::expired, Bound::none},
        {account::cap_source(opened), opened.cap_ledger, AccountCode::cap_source, Bound::none},
        {account::cap_used(opened), opened.cap_ledger, AccountCode::cap_used, Bound::none},
        {account::bank(), cash_ledger, AccountCode::bank, Bound::none},
        {account::treasury(opened.programme.funder), cash_ledger, AccountCode::treasury, Bound::debits_may_not_exceed_credits},
    };
    std::set<OrganisationName> owners;
    for (const auto& [name, site] : state.sites) {
        if (owners.insert(site.site.owner).second) accounts.push_back(account::redeemed_at(opened, site.site.owner));
    }
    return accounts;
}

/// A refusal where the books of money have turned over so much that `amount` may not come in beside it: what came in, and the holds on
/// it, must be settled without the ledger's sums leaving 64 bits.
std::optional<Refusal> no_room_for_money(const Core& core, Fen amount) {
    // A fen that came in goes on a few times, to a provider and out of the network: there is room for seven.
    constexpr Fen most{ledger::whole_amount / 8};
    const auto* totals = core.state.ledger.totals(cash_ledger);
    const Fen turned{totals == nullptr ? 0 : totals->debits_posted + totals->debits_pending};
    if (turned <= most - amount) return std::nullopt;
    return Refusal{
        RefusalCode::limit_reached,
        fmt::format("the books have turned over {} yuan of money, {} more would come in, and none comes in beyond {} yuan, so that "
                    "all of it can still be settled; run another network for what is new",
                    yuan(turned), yuan(amount), yuan(most)),
        "amount",
        {}};
}

}  // namespace

Decision decide(const Core& core, const Actor& actor, const OpenProgramme& command, Instant now) {
    if (auto allowed = permit(core.state, actor, Action::manage_network); !allowed) return refuse(allowed.error());
    const auto& programme = command.programme;
    const auto known = core.state.programmes.find(programme.name);
    if (known != core.state.programmes.end() && known->second.programme == programme) return repeat(programme.name.value);
    if (auto flaw = first_of(flaws(programme), "programme")) return refuse(*flaw);
    if (known != core.state.programmes.end()) {
        return refuse(RefusalCode::already_exists_different,
                      fmt::format("programme {} is open with other terms, and an award keeps the terms it was made under; open the new "
                                  "terms under a new name",
                                  programme.name.value),
                      "name");
    }
    for (const auto& model : programme.models.any_of) {
        if (core.catalogue.contains(model)) continue;
        return refuse(RefusalCode::unknown_model,
                      fmt::format("models names '{}', which the catalogue does not have; list the models with: weir catalog", model),
                      "models");
    }
    for (const auto& site : programme.sites.any_of) {
        if (core.state.sites.contains(site)) continue;
        return refuse(RefusalCode::not_found,
                      fmt::format("sites names {}, which is not known, and the terms of an open programme cannot be changed; register it "
                                  "first: weir site set -f FILE",
                                  site.value),
                      "sites");
    }
    if (auto full = no_room(core.state.programmes.size(), limits::programmes_max, "programmes", "use one that is open")) {
        return refuse(*std::move(full));
    }
    if (auto full = no_room_for_money(core, programme.budget)) return refuse(*std::move(full));
    // Two ledgers for each programme-year, numbered from 100 in the order of opening: face value, then caps.
    const auto first = static_cast<std::uint32_t>(100 + 2 * core.state.programmes.size());
    const OpenedProgramme opened{programme, first, first + 1};
    const Asked asked{actor.id(), {}, version_of(programme)};
    std::vector<ledger::Transfer> transfers;
    if (programme.budget.value > 0) {
        transfers.push_back(transfer(asked, ledger::transfer_id_of(now, programme.name.value + " appropriate"), opened.voucher_ledger,
                                     account::appropriation(opened), account::available(opened), programme.budget,
                                     TransferCode::appropriate));
        transfers.back().flags = ledger::flag::linked;
        transfers.push_back(transfer(asked, ledger::transfer_id_of(now, programme.name.value + " treasury"), cash_ledger,
                                     account::bank(), account::treasury(programme.funder), programme.budget, TransferCode::top_up));
    }
    auto facts = open_and_post(core, accounts_of(core.state, opened), transfers, now);
    if (!facts) return refuse(facts.error());
    return accept(programme.name.value, {ProgrammeOpened{programme, opened.voucher_ledger, opened.cap_ledger}, std::move(*facts)});
}

Decision decide(const Core& core, const Actor& actor, const AwardVoucher& command, Instant now) {
    if (auto allowed = permit(core.state, actor, Action::award); !allowed) return refuse(allowed.error());
    const auto opened = core.state.programmes.find(command.programme);
    if (opened == core.state.programmes.end())
        return refuse(RefusalCode::not_found, fmt::format("programme {} is not open here", command.programme.value), "programme");
    const auto organisation = core.state.organisations.find(command.organisation);
    if (organisation == core.state.organisations.end())
        return refuse(RefusalCode::not_found, fmt::format("organisation {} is not known", command.organisation.value), "organisation");
    const auto& programme = opened->second.programme;
    if (const auto known = core.state.vouchers.find(command.id); known != core.state.vouchers.end()) {
        const auto& voucher = known->second;
        if (voucher.programme == command.programme && voucher.organisation == command.organisation && voucher.amount == command.amount)
            return repeat(command.id.text());
        return refuse(RefusalCode::already_exists_different,
                      fmt::format("{} was awarded before with other terms; make a new id", command.id.text()), "id");
    }
    if (auto fresh = check_new_id(core, command.id.uid, command.id.text(), now); !fresh) return refuse(fresh.error());
    if (auto full =
            no_room(core.state.vouchers.size(), limits::vouchers_max, "vouchers", "award fewer and larger ones, or wait for some to end")) {
        return refuse(*std::move(full));
    }
    if (now < programme.effective_from || now >= programme.effective_to) {
        return refuse(RefusalCode::funding_not_eligible,
                      fmt::format("programme {} awards from {} to before {}, and now it is {}", programme.name.value,
                                  moment(programme.effective_from), moment(programme.effective_to), moment(now)),
                      "programme");
    }
    if (const auto clause = excludes(programme, organisation->second)) {
        return refuse(Refusal{RefusalCode::funding_not_eligible,
                              fmt::format("programme {} is not for {}, {} and registered in {}: {}", programme.name.value,
                                          organisation->first.value, codec::name_of(organisation->second.kind),
                                          organisation->second.registered_in, *clause),
                              "organisation", *clause});
    }
    if (command.amount.value < 1 || command.amount.value > limits::fen_max) {
        return refuse(RefusalCode::bad_value,
                      fmt::format("amount is {} fen and must be from 1 to {}", command.amount.value, limits::fen_max), "amount");
    }
    const auto group = account::group_of(organisation->second);
    const auto cap = account::entity_cap(opened->second, group);
    const bool first_of_group = core.state.ledger.account(cap) == nullptr;
    const Fen cap_left = first_of_group ? programme.entity_cap : free_in(core.state, cap);
    if (command.amount > cap_left) {
        return refuse(
            RefusalCode::cap_reached,
            fmt::format("{} yuan are asked for {} and {} of the {} yuan that one control group may have in {} are left; ask for less",
                        yuan(command.amount), group, yuan(cap_left), yuan(programme.entity_cap), programme.fiscal_year),
            "amount");
    }
    const auto left = free_in(core.state, account::available(opened->second));
    if (command.amount > left) {
        return refuse(RefusalCode::insufficient_funds,
                      fmt::format("{} yuan are asked and {} of the {} yuan of programme {} are left; ask for less", yuan(command.amount),
                                  yuan(left), yuan(programme.budget), programme.name.value),
                      "amount");
    }
    std::vector<ledger::AccountSpec> accounts{{account::voucher(opened->second, command.id), opened->second.voucher_ledger,
                                               AccountCode::voucher, Bound::debits_may_not_exceed_credits}};
    const Asked asked{actor.id(), command.id.uid, version_of(programme)};
    std::vector<ledger::Transfer> transfers;
    const auto name = command.id.text();
    if (first_of_group && programme.entity_cap.value > 0) {
        accounts.push_back({cap, opened->second.cap_ledger, AccountCode::entity_cap, Bound::debits_may_not_exceed_credits});
        transfers.push_back(transfer(asked, ledger::transfer_id_of(now, name + " fund cap"), opened->second.cap_ledger,
                                     account::cap_source(opened->second), cap, programme.entity_cap, TransferCode::fund_cap));
    }
    transfers.push_back(transfer(asked, ledger::transfer_id_of(now, name + " award"), opened->second.voucher_ledger,
                                 account::available(opened->second), account::voucher(opened->second, command.id), command.amount,
                                 TransferCode::award));
    transfers.push_back(transfer(asked, ledger::transfer_id_of(now, name + " cap"), opened->second.cap_ledger, cap,
                                 account::cap_used(opened->second), command.amount, TransferCode::award));
    for (std::size_t i = 0; i + 1 < transfers.size(); ++i) transfers[i].flags |= ledger::flag::linked;
    auto facts = open_and_post(core, accounts, transfers, now);
    if (!facts) return refuse(facts.error());
    const Voucher voucher{
        command.id, command.programme, command.organisation, command.amount, now, china_day(now, programme.validity_days + 1)};
    return accept(name, {VoucherAwarded{voucher}, std::move(*facts)});
}

Decision decide(const Core& core, const Actor& actor, const Deposit& command, Instant now) {
    if (auto allowed = permit(core.state, actor, Action::move_money); !allowed) return refuse(allowed.error());
    if (!core.state.organisations.contains(command.organisation))
        return refuse(RefusalCode::not_found, fmt::format("organisation {} is not known", command.organisation.value), "organisation");
    if (command.amount.value < 1 || command.amount.value > limits::fen_max) {
        return refuse(RefusalCode::bad_value,
                      fmt::format("amount is {} fen and must be from 1 to {}", command.amount.value, limits::fen_max), "amount");
    }
    const auto id = ledger::TransferId{command.transfer};
    // It names no actor (who asked stands in the journal): money that arrived once is booked once, whoever repeats it.
    const auto entry = transfer({{}, command.transfer}, id, cash_ledger, account::bank(), account::prepaid(command.organisation),
                                command.amount, TransferCode::top_up);
    const std::vector<ledger::AccountSpec> accounts{
        {account::bank(), cash_ledger, AccountCode::bank, Bound::none},
        {account::prepaid(command.organisation), cash_ledger, AccountCode::buyer_prepaid, Bound::debits_may_not_exceed_credits},
    };
    auto facts = open_and_post(core, accounts, {entry}, now);
    if (!facts) return refuse(facts.error());
    if (facts->empty()) return repeat(id.text());
    if (auto full = no_room_for_money(core, command.amount)) return refuse(*std::move(full));
    return accept(id.text(), {std::move(*facts)});
}

}  // namespace weir::control

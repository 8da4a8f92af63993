#include "transport/api/accounts.hpp"

#include "control/core/funding.hpp"

#include <fmt/format.h>

namespace weir::api {
namespace {

namespace account = control::account;
using control::State;
using Take = std::function<bool(const std::string& position, const NamedAccount&)>;

void add_programmes(const State& state, std::map<std::string, NamedAccount>& all) {
    for (const auto& [name, opened] : state.programmes) {
        const auto& programme = name.value;
        const auto add = [&](const char* what, ledger::AccountId id, const char* words) {
            all[fmt::format("1/programme/{}/{}", programme, what)] = {id, fmt::format(fmt::runtime(words), programme), programme};
        };
        add("budget", account::appropriation(opened), "budget of {}");
        add("available", account::available(opened), "not yet awarded of {}");
        add("redeemed", account::redeemed(opened), "vouchers used of {}, on their way to who earned them");
        add("expired", account::expired(opened), "vouchers lapsed of {}");
        add("caps", account::cap_source(opened), "source of the caps of {}");
        add("cap-used", account::cap_used(opened), "awarded under the caps of {}");
        for (const auto& [site, about] : state.sites) {
            const auto& owner = about.site.owner.value;
            all[fmt::format("1/programme/{}/redeemed/{}", programme, owner)] = {
                account::redeemed_at(opened, about.site.owner).id, fmt::format("vouchers of {} used at {}", programme, owner), owner};
        }
        const auto& funder = opened.programme.funder;
        all["1/treasury/" + funder] = {account::treasury(funder), "money for vouchers from " + funder, funder};
        for (const auto& [organisation, about] : state.organisations) {
            const auto& group = about.control_group.empty() ? organisation.value : about.control_group;
            all[fmt::format("1/programme/{}/cap/{}", programme, group)] = {account::entity_cap(opened, group),
                                                                          fmt::format("cap of {} in {}", group, programme), group};
        }
    }
}

std::map<std::string, NamedAccount> common_accounts(const State& state) {
    std::map<std::string, NamedAccount> all;
    all["1/bank"] = {account::bank(), "bank: money that came in", {}};
    all["1/clearing"] = {account::clearing(), "clearing between a capture and its payment", {}};
    all["1/network"] = {account::network(), "losses that the network bears", {}};
    for (const auto& [name, site] : state.sites) {
        const auto& owner = site.site.owner;
        auto& line = all["1/supplier/" + owner.value];
        line.id = account::supplier(owner);
        line.owner = owner.value;
        line.name += line.name.empty() ? fmt::format("owed to {} for {}", owner.value, name.value) : ", " + name.value;
    }
    add_programmes(state, all);
    return all;
}

/// What of a position lies behind its section's prefix; nothing where the walk has passed the section or not come to it.
std::string behind(const std::string& after, std::string_view section) {
    return after.starts_with(section) ? after.substr(section.size()) : std::string{};
}

bool each_prepaid(const State& state, const std::string& after, const Take& take) {
    for (auto at = state.organisations.upper_bound(OrganisationName{behind(after, "2/")}); at != state.organisations.end(); ++at) {
        const auto& name = at->first.value;
        if (!take("2/" + name, {account::prepaid(at->first), "prepaid balance of " + name, name})) return false;
    }
    return true;
}

bool each_voucher(const State& state, const std::string& after, const Take& take) {
    const auto last = VoucherId::parse(behind(after, "3/"));
    for (auto at = last ? state.vouchers.upper_bound(*last) : state.vouchers.begin(); at != state.vouchers.end(); ++at) {
        const auto& voucher = at->second;
        const auto text = at->first.text();
        const auto id = account::voucher(state.programmes.at(voucher.programme), at->first);
        const auto words = fmt::format("{} of {} in {}", text, voucher.organisation.value, voucher.programme.value);
        if (!take("3/" + text, {id, words, voucher.organisation.value})) return false;
    }
    return true;
}

}  // namespace

void each_account(const State& state, const std::string& after, const Take& take) {
    if (after < "2/") {
        const auto common = common_accounts(state);
        for (auto at = common.upper_bound(after); at != common.end(); ++at) {
            if (!take(at->first, at->second)) return;
        }
    }
    if (after < "3/" && !each_prepaid(state, after, take)) return;
    (void)each_voucher(state, after, take);
}

std::map<ledger::AccountId, std::string> account_names(const State& state, std::size_t most) {
    std::map<ledger::AccountId, std::string> names;
    each_account(state, {}, [&](const std::string&, const NamedAccount& one) {
        names.emplace(one.id, one.name);
        return names.size() < most;
    });
    return names;
}

}  // namespace weir::api

#include "control/core/settle.hpp"

#include "codec/encode.hpp"
#include "control/core/funding.hpp"
#include "domain/limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace weir::control {
namespace {

LossCause cause_of(const std::string& name) {
    auto cause = LossCause::provider_fault;
    boost::describe::enum_from_string(name.c_str(), cause);
    return cause;
}

BillLine line_of(const GenerationUsage& usage, MilliCardSeconds used, std::optional<LossCause> lost) {
    const auto payer = lost ? payer_of(*lost) : Payer::tenant;
    return {usage.generation, usage.site, usage.model, usage.emulated, usage.fen_per_card_hour, used, payer, lost,
            payer == Payer::provider ? Fen{0} : charge_of(used, usage.fen_per_card_hour)};
}

/// What may be used between a report and the end of a task that is told to stop, beyond its grace, which is held for.
constexpr std::int64_t stop_takes_at_most_s = 300;

/// What the network bears of use beyond a job's holds, at most.
Fen most_uncovered(const LiveJob& job) {
    if (job.usage.empty()) return Fen{0};
    const auto& usage = job.usage.back();
    const auto ask = std::ranges::find(job.spec->resources.accelerators, usage.model, &AcceleratorAsk::model);
    if (ask == job.spec->resources.accelerators.end()) return Fen{0};
    const MilliCardSeconds used{ask->per_node.value * job.spec->num_nodes * stop_takes_at_most_s};
    return charge_of(used, usage.fen_per_card_hour);
}

/// How much of the use of a line is paid for by that part of its amount: what is charged for it, and for the rest, is right for both.
MilliCardSeconds use_paid(const BillLine& line, Fen paid) {
    const auto reckoned = [&](Rounding rounding) {
        const auto used = mul_div(paid.value, 3'600'000, line.fen_per_card_hour.value, rounding).value_or(line.used.value);
        return std::min(MilliCardSeconds{used}, line.used);
    };
    const auto below = reckoned(Rounding::down);
    const auto above = reckoned(Rounding::up);
    const bool below_is_right = charge_of(below, line.fen_per_card_hour) == paid &&
                                charge_of(line.used - below, line.fen_per_card_hour) == line.amount - paid;
    return below_is_right ? below : above;
}

/// Leaves a line what is paid of it; what is not is a line of its own.
BillLine cut(BillLine& line, Fen paid) {
    const auto used = use_paid(line, paid);
    auto rest = line;
    rest.used -= used;
    rest.amount -= paid;
    line.used = used;
    line.amount = paid;
    return rest;
}

/// What no hold covers is borne by the network up to what is left of `borne`, then by the site.
void bear(BillLine uncovered, Fen& borne, std::vector<BillLine>& bill) {
    const auto add = [&](BillLine line, LossCause cause) {
        line.lost = cause;
        line.payer = payer_of(cause);
        if (line.payer == Payer::provider) line.amount = Fen{0};
        if (line.used.value > 0) bill.push_back(std::move(line));
    };
    auto beyond = uncovered;
    if (uncovered.amount > borne) {
        beyond = cut(uncovered, borne);
    } else {
        beyond.used = MilliCardSeconds{0};
    }
    borne -= uncovered.amount;
    add(std::move(uncovered), LossCause::overrun);
    add(std::move(beyond), LossCause::provider_fault);
}

/// Splits `amount` over the lines' amounts by largest remainder; a tie goes to the earlier line.
std::vector<Fen> split(Fen amount, const std::vector<Fen>& weights) {
    const auto total = std::accumulate(weights.begin(), weights.end(), Fen{0});
    std::vector<Fen> parts(weights.size());
    if (total.value == 0) return parts;
    std::vector<std::pair<std::int64_t, std::size_t>> remainders;
    Fen given{0};
    __extension__ using Wide = __int128;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const Wide exact = static_cast<Wide>(amount.value) * weights[i].value;
        parts[i] = Fen{static_cast<std::int64_t>(exact / total.value)};
        remainders.emplace_back(static_cast<std::int64_t>(exact % total.value), i);
        given += parts[i];
    }
    std::ranges::sort(remainders,
                      [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
    for (std::size_t i = 0; given < amount; ++i, given += Fen{1}) parts[remainders[i].second] += Fen{1};
    return parts;
}

/// A line that the tenant owes.
struct Owed {
    const BillLine* line;
    const GenerationUsage* usage;
};

/// The tenant's lines, and what of each a source has paid.
struct Shares {
    std::vector<Fen> owed;                    ///< By tenant's line, still unpaid.
    std::vector<std::vector<Fen>> by_source;  ///< [source][line].
};

/// What the hold promised to pay of a generation. Programs of long ago did not write it down with the placement: then it is judged by
/// what is known today, as of the submission.
ShareUse share_of(const Core& core, const LiveJob& job, std::size_t hold, const GenerationUsage& usage) {
    if (hold < usage.shares.size()) return usage.shares[hold];
    const auto& source = job.holds[hold].source;
    const auto site = core.state.sites.find(usage.site);
    if (!source.voucher || site == core.state.sites.end()) return {source.voucher ? 0 : 1000, {}, {}};
    const auto& organisation = core.state.projects.at(job.project).organisation;
    const auto answer = ask_source(core, organisation, source, site->second.site, usage.model, job.submitted_at, job.submitted_at);
    return {answer.per_mille, {}, {}};
}

MilliCardSeconds used_in_all(const GenerationUsage& usage) {
    MilliCardSeconds sum = usage.secured + usage.at_risk;
    for (const auto& [cause, used] : usage.lost) sum += used;
    return sum;
}

/// How much of each line a source pays for: nothing that was used after its end. What the tenant owes of a generation counts as used
/// before what somebody else bears, for what is lost is what came last.
class Timely {
public:
    Timely(const LiveJob& job, const std::vector<Owed>& lines) {
        for (const auto& usage : job.usage) late_[&usage] = {used_in_all(usage), MilliCardSeconds{0}};
        for (const auto& [line, usage] : lines) late_[usage].owed += line->used;
    }
    /// To be asked of the lines of a generation in their order, for one source.
    Fen part(const Owed& owed, const ShareUse& share, MilliCardSeconds& before) const {
        const auto& [all, of_tenant] = late_.at(owed.usage);
        const auto lapsed = std::max(MilliCardSeconds{0}, share.lapsed - (all - of_tenant));
        const auto timely = std::clamp(of_tenant - lapsed - before, MilliCardSeconds{0}, owed.line->used);
        before += owed.line->used;
        if (timely == owed.line->used) return owed.line->amount;
        return Fen{mul_div(owed.line->amount.value, timely.value, owed.line->used.value, Rounding::down).value_or(0)};
    }

private:
    struct Use {
        MilliCardSeconds all;
        MilliCardSeconds owed;
    };
    std::map<const GenerationUsage*, Use> late_;
};

Shares share_out(const Core& core, const LiveJob& job, const std::vector<Owed>& lines) {
    Shares shares;
    for (const auto& owed : lines) shares.owed.push_back(owed.line->amount);
    const Timely timely{job, lines};
    Fen budget = job.spec->budget ? job.spec->budget->fen : Fen{INT64_MAX};
    for (std::size_t h = 0; h < job.holds.size(); ++h) {
        std::map<const GenerationUsage*, MilliCardSeconds> before;
        std::vector<Fen> want(lines.size());
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const auto share = share_of(core, job, h, *lines[i].usage);
            const auto payable = timely.part(lines[i], share, before[lines[i].usage]);
            want[i] = std::min(Fen{mul_div(payable.value, share.per_mille, 1000, Rounding::down).value_or(0)}, shares.owed[i]);
        }
        // The holds together may be more than the budget: each source holds what it would pay where it pays most.
        const auto most = std::min(job.holds[h].amount, budget);
        const auto wanted = std::accumulate(want.begin(), want.end(), Fen{0});
        const auto paid = wanted <= most ? want : split(most, want);
        budget -= std::min(wanted, most);
        for (std::size_t i = 0; i < lines.size(); ++i) shares.owed[i] -= paid[i];
        shares.by_source.push_back(paid);
    }
    return shares;
}

/// What the job's use comes to, before anybody has paid of it.
struct Reckoning {
    std::vector<BillLine> bill;
    std::vector<Owed> owed;  ///< Of the bill, what the tenant owes.
};

Reckoning reckon(const LiveJob& job, std::optional<LossCause> unsecured) {
    Reckoning result;
    std::vector<const GenerationUsage*> used_by;  // by line of the bill
    for (const auto& known : job.usage) {
        auto usage = known;
        if (unsecured) {
            usage.lost[std::string{codec::name_of(*unsecured)}] += usage.at_risk;
        } else {
            usage.secured += usage.at_risk;
        }
        if (usage.secured.value > 0) result.bill.push_back(line_of(usage, usage.secured, std::nullopt));
        for (const auto& [cause, used] : usage.lost) {
            if (used.value > 0) result.bill.push_back(line_of(usage, used, cause_of(cause)));
        }
        used_by.resize(result.bill.size(), &known);
    }
    for (std::size_t i = 0; i < result.bill.size(); ++i) {
        if (result.bill[i].payer == Payer::tenant) result.owed.push_back({&result.bill[i], used_by[i]});
    }
    return result;
}

class Chain {
public:
    Chain(const LiveJob& job, Instant now) : job_{job}, now_{now} {}

    void resolve(const Hold& hold, Fen amount, std::uint32_t policy_version) {
        auto transfer = base(fmt::format("{} {}", amount.value > 0 ? "capture" : "release", ledger::TransferId{hold.transfer}.text()));
        transfer.pending_id = {hold.transfer};
        transfer.amount = amount.value;
        transfer.policy_version = policy_version;
        transfer.code = amount.value > 0 ? ledger::TransferCode::redeem : ledger::TransferCode::release;
        transfer.flags = amount.value > 0 ? ledger::flag::post_pending : ledger::flag::void_pending;
        transfers_.push_back(transfer);
    }
    void move(ledger::AccountId from, ledger::AccountId to, Fen amount, ledger::TransferCode code, ledger::LedgerId book = cash_ledger,
              std::uint32_t policy_version = 0) {
        if (amount.value == 0) return;
        auto transfer = base(fmt::format("settle {}", transfers_.size()));
        transfer.debit = from;
        transfer.credit = to;
        transfer.amount = amount.value;
        transfer.ledger = book;
        transfer.policy_version = policy_version;
        transfer.code = code;
        transfers_.push_back(transfer);
    }
    std::vector<ledger::Transfer> take() {
        for (std::size_t i = 0; i + 1 < transfers_.size(); ++i) transfers_[i].flags |= ledger::flag::linked;
        return std::move(transfers_);
    }

private:
    ledger::Transfer base(const std::string& what) const {
        ledger::Transfer transfer;
        transfer.id = ledger::transfer_id_of(now_, job_.id.text() + " " + what);
        transfer.cause = job_.id.uid;
        return transfer;
    }
    const LiveJob& job_;
    Instant now_;
    std::vector<ledger::Transfer> transfers_;
};

const OpenedProgramme& programme_of(const State& state, VoucherId voucher) {
    return state.programmes.at(state.vouchers.at(voucher).programme);
}

/// What a programme pays a site's owner, in face value and in money. A store that was begun by an old program has no account of an
/// owner's face value; there it stays with what the programme has redeemed in all.
void pay_subsidy(const State& state, const OpenedProgramme& opened, const OrganisationName& owner, Fen amount, Chain& chain) {
    const auto version = version_of(opened.programme);
    const auto redeemed = account::redeemed_at(opened, owner);
    if (state.ledger.account(redeemed.id) != nullptr) {
        chain.move(account::redeemed(opened), redeemed.id, amount, ledger::TransferCode::redeem, opened.voucher_ledger, version);
    }
    chain.move(account::treasury(opened.programme.funder), account::supplier(owner), amount, ledger::TransferCode::pay_subsidy,
               cash_ledger, version);
}

}  // namespace

Fen charge_of(MilliCardSeconds used, Fen fen_per_card_hour) {
    return Fen{mul_div(used.value, fen_per_card_hour.value, 3'600'000, Rounding::half_up).value_or(limits::fen_max)};
}

Fen accrued(const LiveJob& job) {
    Fen sum{0};
    for (const auto& usage : job.usage) {
        MilliCardSeconds owed = usage.secured + usage.at_risk;
        for (const auto& [cause, used] : usage.lost) {
            if (payer_of(cause_of(cause)) == Payer::tenant) owed += used;
        }
        sum += charge_of(owed, usage.fen_per_card_hour);
    }
    return sum;
}

Fen held(const LiveJob& job) {
    Fen sum{0};
    for (const auto& hold : job.holds) sum += hold.amount;
    return sum;
}

Purse purse_of(const Core& core, const LiveJob& job, std::optional<LossCause> unsecured) {
    const auto reckoning = reckon(job, unsecured);
    const auto shares = share_out(core, job, reckoning.owed);
    Purse purse{{}, job.spec->budget ? job.spec->budget->fen : Fen{limits::fen_max}};
    for (std::size_t h = 0; h < job.holds.size(); ++h) {
        const auto taken = std::accumulate(shares.by_source[h].begin(), shares.by_source[h].end(), Fen{0});
        purse.free.push_back(job.holds[h].amount - taken);
        purse.budget -= taken;
    }
    return purse;
}

bool is_spent(const Core& core, const LiveJob& job) {
    const auto purse = purse_of(core, job, std::nullopt);
    std::vector<std::int64_t> per_mille;
    for (std::size_t h = 0; h < job.holds.size(); ++h) per_mille.push_back(share_of(core, job, h, job.usage.back()).per_mille);
    return most_payable(purse.free, per_mille, purse.budget).value == 0;
}

Settlement settle(const Core& core, const LiveJob& job, std::optional<LossCause> unsecured, Instant now) {
    auto reckoning = reckon(job, unsecured);
    const auto& lines = reckoning.owed;
    Settlement result;
    result.bill = std::move(reckoning.bill);  // its lines stay where they are
    const auto shares = share_out(core, job, lines);

    Chain chain{job, now};
    std::map<OrganisationName, Fen> to_owner;  // from clearing
    std::map<std::pair<ProgrammeName, OrganisationName>, Fen> subsidy;
    for (std::size_t s = 0; s < job.holds.size(); ++s) {
        const auto& hold = job.holds[s];
        Fen captured{0};
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const Fen part = shares.by_source[s][i];
            captured += part;
            const auto& owner = core.state.sites.at(lines[i].line->site).site.owner;
            if (hold.source.voucher) {
                subsidy[{core.state.vouchers.at(*hold.source.voucher).programme, owner}] += part;
            } else {
                to_owner[owner] += part;
            }
        }
        chain.resolve(hold, captured, hold.source.voucher ? version_of(programme_of(core.state, *hold.source.voucher).programme) : 0);
        result.paid.push_back({hold.source, hold.amount, captured});
    }
    // What the holds do not cover (an order to stop came late, or a task outlived its grace) the network bears, in the open, up to what
    // the present generation can use between two reports and until it is stopped. Beyond that its site has not stopped it.
    Fen borne = most_uncovered(job);
    std::vector<BillLine> uncovered;
    for (std::size_t i = 0, line = 0; i < result.bill.size(); ++i) {
        if (result.bill[i].payer != Payer::tenant) continue;
        const Fen rest = shares.owed[line++];
        if (rest.value == 0) continue;
        bear(cut(result.bill[i], result.bill[i].amount - rest), borne, uncovered);
    }
    std::erase_if(result.bill, [](const BillLine& line) { return line.used.value == 0; });
    result.bill.insert(result.bill.end(), uncovered.begin(), uncovered.end());

    std::map<OrganisationName, Fen> from_network;
    for (const auto& line : result.bill) {
        if (line.payer == Payer::network) from_network[core.state.sites.at(line.site).site.owner] += line.amount;
    }
    for (const auto& [owner, amount] : to_owner)
        chain.move(account::clearing(), account::supplier(owner), amount, ledger::TransferCode::charge);
    for (const auto& [key, amount] : subsidy) pay_subsidy(core.state, core.state.programmes.at(key.first), key.second, amount, chain);
    for (const auto& [owner, amount] : from_network)
        chain.move(account::network(), account::supplier(owner), amount, ledger::TransferCode::charge);
    result.transfers = chain.take();
    return result;
}

}  // namespace weir::control

// Money: programmes, vouchers, deposits, the trial balance.
#include "control/core/funding.hpp"
#include "transport/api/context.hpp"

namespace weir::api {
namespace {

using control::Action;
using control::Actor;
using control::Refusal;
using control::State;
using http::Method;

Result<std::string, Refusal> list_programmes(const View& view) {
    WEIR_CHECK(control::permit(view.state, view.actor, Action::see_network));
    return codec::to_json(page_of<Programme>(view.state.programmes, view, [](const ProgrammeName&, const control::OpenedProgramme& opened) {
        return std::optional{opened.programme};
    }));
}

Result<std::string, Refusal> get_programme(const View& view) {
    WEIR_CHECK(control::permit(view.state, view.actor, Action::see_network));
    const ProgrammeName name{std::string{view.request.parameter("programme")}};
    const auto found = view.state.programmes.find(name);
    if (found == view.state.programmes.end()) return fail(not_found(fmt::format("programme {} is not open here", name.value)));
    return codec::to_json(found->second.programme);
}

VoucherView view_of(const State& state, const Voucher& voucher) {
    VoucherView view{voucher, {}, {}, {}};
    const auto* books = state.ledger.account(control::account::voucher(state.programmes.at(voucher.programme), voucher.id));
    if (books == nullptr) return view;
    view.held_fen = Fen{books->debits_pending};
    view.redeemed_fen = Fen{books->debits_posted};
    view.left_fen = Fen{books->free_credit()};
    return view;
}

Result<std::string, Refusal> list_vouchers(const View& view) {
    const bool all = sees_all_organisations(view.state, view.actor);
    const auto mine = all ? std::set<OrganisationName>{} : organisations_seen(view.state, view.actor);
    const auto wanted = word(view.request, "organisation");
    return codec::to_json(
        page_of<VoucherView>(view.state.vouchers, view, [&](const VoucherId&, const Voucher& voucher) -> std::optional<VoucherView> {
            if (!all && !mine.contains(voucher.organisation)) return std::nullopt;
            if (!wanted.empty() && voucher.organisation.value != wanted) return std::nullopt;
            return view_of(view.state, voucher);
        }));
}

Result<std::string, Refusal> get_voucher(const View& view) {
    const auto text = view.request.parameter("voucher");
    const auto id = VoucherId::parse(text);
    const auto found = id ? view.state.vouchers.find(*id) : view.state.vouchers.end();
    if (found == view.state.vouchers.end() || !may_see_organisation(view.state, view.actor, found->second.organisation)) {
        return fail(not_found(fmt::format("{} is not known here; list yours with: weir voucher list", text)));
    }
    return codec::to_json(view_of(view.state, found->second));
}

std::string title_of(const State& state, ledger::LedgerId ledger) {
    if (ledger == control::cash_ledger) return "cash";
    for (const auto& [name, opened] : state.programmes) {
        if (opened.voucher_ledger == ledger) return name.value + " vouchers";
        if (opened.cap_ledger == ledger) return name.value + " caps";
    }
    return fmt::format("ledger {}", ledger);
}

Result<std::string, Refusal> trial_balance(const View& view) {
    WEIR_CHECK(control::permit(view.state, view.actor, Action::see_ledger));
    TrialBalanceView sheets{{}, view.state.revision};
    for (const auto& totals : view.state.ledger.ledgers()) {
        const auto balance = view.state.ledger.trial_balance(totals.ledger);
        TrialSheet sheet;
        sheet.ledger = balance.ledger;
        sheet.title = title_of(view.state, balance.ledger);
        for (const auto& row : balance.rows)
            sheet.lines.push_back({row.code, row.accounts, row.debits_pending, row.debits_posted, row.credits_pending, row.credits_posted});
        sheet.debits_pending = balance.debits_pending;
        sheet.debits_posted = balance.debits_posted;
        sheet.credits_pending = balance.credits_pending;
        sheet.credits_posted = balance.credits_posted;
        sheet.balanced = balance.debits_pending == balance.credits_pending && balance.debits_posted == balance.credits_posted;
        sheets.ledgers.push_back(std::move(sheet));
    }
    return codec::to_json(sheets);
}

Result<Change, http::Response> award(Context& context, const AwardForm& form) {
    const auto id = form.id ? *form.id : VoucherId{new_uid(context)};
    return Change{control::AwardVoucher{id, form.programme, form.organisation, form.amount}, codec::to_json(form), "/v1/vouchers/", {}};
}

Result<Change, http::Response> deposit(Context& context, const DepositForm& form) {
    const auto id = form.transfer ? *form.transfer : new_uid(context);
    return Change{control::Deposit{id, form.organisation, form.amount}, codec::to_json(form), {}, {}};
}

}  // namespace

std::vector<Endpoint> money_endpoints(Context& context) {
    std::vector<Endpoint> endpoints;
    endpoints.push_back({.method = Method::post,
                         .pattern = "/v1/programmes",
                         .name = "open_programme",
                         .summary = "Opens a voucher programme with its published terms",
                         .body = schema_of<Programme>,
                         .takes_yaml = true,
                         .answer = schema_of<Made>,
                         .success = 201,
                         .problems = {402, 403, 409, 422},
                         .handler = changing<Programme>(
                             context, true,
                             [](const Actor&, const http::Request&, const Programme& programme) -> Result<Change, http::Response> {
                                 return Change{control::OpenProgramme{programme}, codec::to_json(programme), "/v1/programmes/", {}};
                             },
                             true)});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/programmes",
                         .name = "list_programmes",
                         .summary = "Programmes and their terms, by name",
                         .query = {limit_parameter, cursor_parameter, min_revision_parameter},
                         .answer = schema_of<Page<Programme>>,
                         .problems = {403},
                         .handler = asking(context, list_programmes)});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/programmes/{programme}",
                         .name = "get_programme",
                         .summary = "One programme's terms",
                         .query = {min_revision_parameter},
                         .answer = schema_of<Programme>,
                         .problems = {403, 404},
                         .handler = asking(context, get_programme)});
    endpoints.push_back(
        {.method = Method::post,
         .pattern = "/v1/vouchers",
         .name = "award_voucher",
         .summary = "Awards a voucher out of a programme's budget",
         .body = schema_of<AwardForm>,
         .answer = schema_of<Made>,
         .success = 201,
         .problems = {402, 403, 404, 409, 422},
         .handler = changing<AwardForm>(
             context, true, [&context](const Actor&, const http::Request&, const AwardForm& form) { return award(context, form); })});
    endpoints.push_back(
        {.method = Method::get,
         .pattern = "/v1/vouchers",
         .name = "list_vouchers",
         .summary = "Vouchers of the organisations that one may see, oldest first",
         .query = {{.name = "organisation", .doc = "only of this one"}, limit_parameter, cursor_parameter, min_revision_parameter},
         .answer = schema_of<Page<VoucherView>>,
         .handler = asking(context, list_vouchers)});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/vouchers/{voucher}",
                         .name = "get_voucher",
                         .summary = "A voucher: its face value, what is held, redeemed and left",
                         .query = {min_revision_parameter},
                         .answer = schema_of<VoucherView>,
                         .problems = {404},
                         .handler = asking(context, get_voucher)});
    endpoints.push_back(
        {.method = Method::post,
         .pattern = "/v1/deposits",
         .name = "deposit",
         .summary = "Books money that arrived at an organisation's prepaid balance",
         .body = schema_of<DepositForm>,
         .answer = schema_of<Made>,
         .success = 201,
         .problems = {402, 403, 404, 409, 422},
         .handler = changing<DepositForm>(
             context, true, [&context](const Actor&, const http::Request&, const DepositForm& form) { return deposit(context, form); })});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/ledger/trial-balance",
                         .name = "trial_balance",
                         .summary = "Every ledger's sums by kind of account",
                         .query = {min_revision_parameter},
                         .answer = schema_of<TrialBalanceView>,
                         .problems = {403},
                         .handler = asking(context, trial_balance)});
    return endpoints;
}

}  // namespace weir::api

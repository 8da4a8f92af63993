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
    return codec::to_json(
        page_of<Programme>(view.state.programmes, view, [&](const ProgrammeName&, const control::OpenedProgramme& opened) {
            return wants(view, "funder", opened.programme.funder) ? std::optional{opened.programme} : std::nullopt;
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
    VoucherView view{voucher, {}, {}, {}, {}, {}};
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
    return codec::to_json(
        page_of<VoucherView>(view.state.vouchers, view, [&](const VoucherId&, const Voucher& voucher) -> std::optional<VoucherView> {
            if (!all && !mine.contains(voucher.organisation)) return std::nullopt;
            if (!wants(view, "organisation", voucher.organisation.value) || !wants(view, "programme", voucher.programme.value))
                return std::nullopt;
            return view_of(view.state, voucher);
        }));
}

Refusal unknown_voucher(std::string_view text) {
    return not_found(fmt::format("{} is not known here; list yours with: weir voucher list", text), "voucher");
}

/// What the core knows of a voucher before anybody asks the views.
struct FoundVoucher {
    std::optional<std::string> live;   ///< Printed.
    Actor actor;
    std::uint64_t revision = 0;
};

Result<FoundVoucher, Refusal> look(Context& context, const http::Request& request, std::optional<VoucherId> id) {
    const auto now = context.world.wall();
    return context.world.reader.ask([&](const control::Core& core) -> Result<FoundVoucher, Refusal> {
        FoundVoucher found{{}, WEIR_TRY(actor_of(core.state, request, now)), core.state.revision};
        const auto live = id ? core.state.vouchers.find(*id) : core.state.vouchers.end();
        if (live != core.state.vouchers.end() && may_see_organisation(core.state, found.actor, live->second.organisation)) {
            found.live = codec::to_json(view_of(core.state, live->second));
        } else if (!id || live != core.state.vouchers.end()) {
            return fail(unknown_voucher(request.parameter("voucher")));
        }
        return found;
    });
}

/// A voucher that has ended, from the views.
http::Response look_back(Context& context, const http::Request& request, VoucherId id, const FoundVoucher& found) {
    const auto views = context.world.history->watermark();
    const auto told = context.world.history->voucher(id);
    if (!told)
        return refuse(503, "history_unavailable", fmt::format("ended vouchers cannot be read now: {}; ask again", told.error()),
                      request.target);
    const bool seen = *told && context.world.reader.ask([&](const control::Core& core) {
        return may_see_organisation(core.state, found.actor, (*told)->organisation);
    });
    if (!seen) return refuse(unknown_voucher(request.parameter("voucher")), request.target);
    return show(codec::to_json(**told), found.revision, request, views);
}

void get_voucher(Context& context, http::Request request, http::Reply reply) {
    const auto id = VoucherId::parse(request.parameter("voucher"));
    auto found = look(context, request, id);
    if (!found) return reply(refuse(found.error(), request.target));
    if (found->live) return reply(show(std::move(*found->live), found->revision, request));
    if (context.world.history == nullptr) return reply(refuse(unknown_voucher(request.parameter("voucher")), request.target));
    later(context, std::move(request), std::move(reply), [&context, id = *id, found = std::move(*found)](const http::Request& again) {
        return look_back(context, again, id, found);
    });
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

std::string title_of(const State& state, ledger::LedgerId ledger) {
    if (ledger == control::cash_ledger) return "cash";
    for (const auto& [name, opened] : state.programmes) {
        if (opened.voucher_ledger == ledger) return name.value + " vouchers";
        if (opened.cap_ledger == ledger) return name.value + " caps";
    }
    return fmt::format("ledger {}", ledger);
}

std::vector<Endpoint> money_endpoints(Context& context) {
    std::vector<Endpoint> endpoints;
    endpoints.push_back(making<Programme>(
        context,
        {.pattern = "/v1/programmes",
         .name = "open_programme",
         .summary = "Opens a voucher programme with its published terms",
         .takes_yaml = true,
         .problems = {402, 403, 409, 422}},
        [](const Actor&, const http::Request&, const Programme& programme) -> Result<Change, http::Response> {
            return Change{control::OpenProgramme{programme}, codec::to_json(programme), "/v1/programmes/", {}};
        }));
    endpoints.push_back(listing<Programme>(context,
                                           {.pattern = "/v1/programmes",
                                            .name = "list_programmes",
                                            .summary = "Programmes and their terms, by name",
                                            .query = {{.name = "funder", .doc = "only of this organisation"}},
                                            .problems = {403}},
                                           list_programmes));
    endpoints.push_back(showing<Programme>(context,
                                           {.pattern = "/v1/programmes/{programme}",
                                            .name = "get_programme",
                                            .summary = "One programme's terms",
                                            .problems = {403, 404}},
                                           get_programme));
    endpoints.push_back(making<AwardForm>(
        context,
        {.pattern = "/v1/vouchers",
         .name = "award_voucher",
         .summary = "Awards a voucher out of a programme's budget",
         .problems = {402, 403, 404, 409, 422}},
        [&context](const Actor&, const http::Request&, const AwardForm& form) { return award(context, form); }));
    endpoints.push_back(listing<VoucherView>(context,
                                             {.pattern = "/v1/vouchers",
                                              .name = "list_vouchers",
                                              .summary = "Vouchers in force of the organisations that one may see, oldest first",
                                              .query = {{.name = "organisation", .doc = "only of this one"},
                                                        {.name = "programme", .doc = "only of this one"}}},
                                             list_vouchers));
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/vouchers/{voucher}",
                         .name = "get_voucher",
                         .summary = "A voucher, in force or ended: its face value, what is held, redeemed, left or expired",
                         .query = {min_revision_parameter},
                         .answer = schema_of<VoucherView>,
                         .problems = {404},
                         .handler = [&context](http::Request asked, http::Reply answer_to) {
                             when_shown(context, std::move(asked), std::move(answer_to),
                                        [&context](http::Request request, http::Reply reply) {
                                            get_voucher(context, std::move(request), std::move(reply));
                                        });
                         }});
    endpoints.push_back(making<DepositForm>(
        context,
        {.pattern = "/v1/deposits",
         .name = "deposit",
         .summary = "Books money that arrived at an organisation's prepaid balance",
         .problems = {402, 403, 404, 409, 422}},
        [&context](const Actor&, const http::Request&, const DepositForm& form) { return deposit(context, form); }));
    endpoints.push_back(showing<TrialBalanceView>(context,
                                                  {.pattern = "/v1/ledger/trial-balance",
                                                   .name = "trial_balance",
                                                   .summary = "Every ledger's sums by kind of account",
                                                   .problems = {403}},
                                                  trial_balance));
    return endpoints;
}

}  // namespace weir::api

// The books line by line: accounts by name, their transfers, and what a site has earned.
#include "control/core/funding.hpp"
#include "transport/api/accounts.hpp"
#include "transport/api/context.hpp"
#include "transport/api/ledger_words.hpp"

#include <charconv>
#include <functional>

namespace weir::api {
namespace {

using control::Action;
using control::Refusal;
using control::State;
using http::Method;

// ---- accounts

AccountView view_of(const State& state, const NamedAccount& one, const ledger::Account& books) {
    return {one.id.text(),        one.name,
            books.code,           one.owner,
            books.ledger,         title_of(state, books.ledger),
            books.debits_pending, books.debits_posted,
            books.credits_pending, books.credits_posted};
}

Result<std::string, Refusal> list_accounts(const View& view) {
    WEIR_CHECK(control::permit(view.state, view.actor, Action::see_ledger));
    const auto owner = word(view.request, "owner");
    const auto limit = page_limit(view.request);
    Page<AccountView> page{{}, {}, view.state.revision};
    std::string last;
    std::size_t looked_at = 0;
    each_account(view.state, from_cursor(view.request).value_or(""),
                 [&](const std::string& position, const NamedAccount& one) {
                     if (page.items.size() == limit || looked_at++ == looked_at_max) {
                         page.next_cursor = cursor_of(view.request, last);
                         return false;
                     }
                     last = position;
                     const auto* books = view.state.ledger.account(one.id);
                     if (books != nullptr && (owner.empty() || one.owner == owner)) page.items.push_back(view_of(view.state, one, *books));
                     return true;
                 });
    return codec::to_json(page);
}

// ---- what the views tell, after the core has said who may ask

/// A cursor of these lists: `revision` or `revision/transfer`.
StatementQuery query_of(const http::Request& request) {
    StatementQuery query{.limit = page_limit(request)};
    const auto cursor = from_cursor(request);
    if (!cursor) return query;
    const auto slash = cursor->find('/');
    std::from_chars(cursor->data(), cursor->data() + std::min(slash, cursor->size()), query.before);
    if (slash != std::string::npos) query.before_id = cursor->substr(slash + 1);
    return query;
}

/// Asks `allowed` under the reader's lock, then answers with what `tell` makes of the views.
template <class Found>
http::Handler told_by_views(
    Context& context, std::function<Result<Found, Refusal>(const View&)> allowed,
    std::function<Result<std::string, std::string>(History&, const Found&, const http::Request&, std::uint64_t)> tell) {
    return [&context, allowed = std::move(allowed), tell = std::move(tell)](http::Request request, http::Reply reply) {
        const auto now = context.world.wall();
        auto found = context.world.reader.ask([&](const control::Core& core) -> Result<Found, Refusal> {
            const auto actor = WEIR_TRY(actor_of(core.state, request, now));
            return allowed(View{core, core.state, actor, request, now});
        });
        if (!found) return reply(refuse(found.error(), request.target));
        if (context.world.history == nullptr)
            return reply(refuse(503, "history_unavailable", "this server keeps no views to read statements from", request.target));
        later(context, std::move(request), std::move(reply),
              [&context, tell, found = std::move(*found)](const http::Request& again) -> http::Response {
                  auto& history = *context.world.history;
                  const auto views = history.watermark();
                  auto text = tell(history, found, again, views);
                  if (!text)
                      return refuse(503, "history_unavailable", fmt::format("statements cannot be read now: {}; ask again", text.error()),
                                    again.target);
                  return show(std::move(*text), views, again, views);
              });
    };
}

struct AskedAccount {
    std::string account;
    std::map<ledger::AccountId, std::string> names;
};

Result<AskedAccount, Refusal> asked_account(const View& view) {
    WEIR_CHECK(control::permit(view.state, view.actor, Action::see_ledger));
    const auto text = std::string{view.request.parameter("account")};
    const auto id = ledger::AccountId::parse(text);
    if (!id || view.state.ledger.account(*id) == nullptr)
        return fail(not_found(fmt::format("account {} is not in the books; list them with: weir ledger accounts", text)));
    return AskedAccount{text, account_names(view.state, looked_at_max)};
}

Result<std::string, std::string> tell_transfers(History& history, const AskedAccount& asked, const http::Request& request,
                                                std::uint64_t views) {
    const auto query = query_of(request);
    Page<TransferView> page{WEIR_TRY(history.transfers(asked.account, query)), {}, views};
    for (auto& one : page.items) {
        const auto id = ledger::AccountId::parse(one.other);
        const auto name = id ? asked.names.find(*id) : asked.names.end();
        if (name != asked.names.end()) one.other_name = name->second;
    }
    if (page.items.size() == query.limit)
        page.next_cursor = cursor_of(request, fmt::format("{}/{}", page.items.back().revision, page.items.back().transfer));
    return codec::to_json(page);
}

struct AskedSite {
    SiteName site;
    OrganisationName owner;
};

/// Who may see the owner may see what its sites earn; to others it says nothing but that this is not theirs.
Result<AskedSite, Refusal> asked_site(const View& view) {
    const SiteName name{std::string{view.request.parameter("site")}};
    WEIR_CHECK(control::permit(view.state, view.actor, Action::see_network));
    const auto found = view.state.sites.find(name);
    if (found == view.state.sites.end()) return fail(not_found(fmt::format("site {} is not known; see: weir site list", name.value)));
    const auto& owner = found->second.site.owner;
    if (control::permit(view.state, view.actor, Action::see_ledger) || may_see_organisation(view.state, view.actor, owner))
        return AskedSite{name, owner};
    return fail(Refusal{control::RefusalCode::forbidden,
                        fmt::format("{} may not see what {} earns: that needs a role in a project of its owner, {}, or the network role "
                                    "finance, auditor or operator",
                                    view.actor.subject.value, name.value, owner.value),
                        {},
                        {}});
}

Result<std::string, std::string> tell_earnings(History& history, const AskedSite& asked, const http::Request& request,
                                               std::uint64_t views) {
    const auto query = query_of(request);
    auto told = WEIR_TRY(history.earnings(asked.site, query));
    auto& statement = told.statement;
    statement.site = asked.site;
    statement.owner = asked.owner;
    statement.revision = views;
    if (statement.items.size() == query.limit) statement.next_cursor = cursor_of(request, std::to_string(told.last));
    return codec::to_json(statement);
}

}  // namespace

std::vector<Endpoint> statement_endpoints(Context& context) {
    std::vector<Endpoint> endpoints;
    endpoints.push_back(listing<AccountView>(
        context,
        {.pattern = "/v1/ledger/accounts",
         .name = "list_accounts",
         .summary = "The accounts of the books with their sums and whose they are; those of ended vouchers are in the trial balance alone",
         .query = {{.name = "owner", .doc = "only of this organisation, funder, programme or control group"}},
         .problems = {403}},
        list_accounts));
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/ledger/accounts/{account}/transfers",
                         .name = "account_transfers",
                         .summary = "What was booked on an account, newest first; their sums are the account's posted sums",
                         .query = {limit_parameter, cursor_parameter},
                         .answer = schema_of<Page<TransferView>>,
                         .problems = {403, 404},
                         .handler = told_by_views<AskedAccount>(context, asked_account, tell_transfers)});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/sites/{site}/statement",
                         .name = "site_statement",
                         .summary = "What a site has earned by jobs that are over and used its cards, for its owner and for finance",
                         .query = {limit_parameter, cursor_parameter},
                         .answer = schema_of<SiteStatement>,
                         .problems = {403, 404},
                         .handler = told_by_views<AskedSite>(context, asked_site, tell_earnings)});
    return endpoints;
}

}  // namespace weir::api

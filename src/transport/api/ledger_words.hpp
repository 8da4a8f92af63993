// transport/api/ledger_words.hpp: the books as finance and the owners of sites read them, as described types.
//
// Amounts are fen. A sum of transfers is exactly what the account shows as posted: what is only held is not in a statement.
#pragma once

#include "transport/api/words.hpp"

#include <boost/describe.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::api {

struct AccountView {
    std::string account;
    std::string name;
    ledger::AccountCode kind = ledger::AccountCode::bank;
    std::string owner;
    std::uint32_t ledger = 0;
    std::string title;
    std::int64_t debits_pending = 0;
    std::int64_t debits_posted = 0;
    std::int64_t credits_pending = 0;
    std::int64_t credits_posted = 0;
    static constexpr std::string_view doc = "An account of the books, with whose it is in words.";
    static constexpr std::array field_rules{
        codec::Field{.name = "owner", .doc = "an organisation, a funder, a programme or a control group; empty: the network's own"},
        codec::Field{.name = "ledger", .doc = "the ledger that it belongs to; title says it in words"},
    };
};
BOOST_DESCRIBE_STRUCT(AccountView, (),
                      (account, name, kind, owner, ledger, title, debits_pending, debits_posted, credits_pending, credits_posted))

struct TransferView {
    std::string transfer;
    Instant at;
    std::string code;
    std::int64_t debit = 0;
    std::int64_t credit = 0;
    std::string other;
    std::string other_name;
    std::optional<JobId> job;
    std::uint64_t revision = 0;
    static constexpr std::string_view doc = "One transfer of an account: what it debited or credited there.";
    static constexpr std::array field_rules{
        codec::Field{.name = "other", .doc = "the account on the other side; other_name says whose, where it is known"},
        codec::Field{.name = "job", .doc = "the job that it was booked for"},
        codec::Field{.name = "revision", .doc = "of the journal's entry that booked it"},
    };
};
BOOST_DESCRIBE_STRUCT(TransferView, (), (transfer, at, code, debit, credit, other, other_name, job, revision))

struct Earning {
    JobId job;
    Instant finished_at;
    MilliCardSeconds used;
    MilliCardSeconds lost;
    Fen earned;
    static constexpr std::string_view doc = "What one job that is over brought a site.";
    static constexpr std::array field_rules{
        codec::Field{.name = "used", .doc = "thousandths of card-seconds that somebody pays for"},
        codec::Field{.name = "lost", .doc = "thousandths of card-seconds that the site itself bears"},
    };
};
BOOST_DESCRIBE_STRUCT(Earning, (), (job, finished_at, used, lost, earned))

struct SiteStatement {
    SiteName site;
    OrganisationName owner;
    std::uint64_t jobs = 0;
    MilliCardSeconds used;
    MilliCardSeconds lost;
    Fen earned;
    std::vector<Earning> items;
    std::optional<std::string> next_cursor;
    std::uint64_t revision = 0;
    static constexpr std::string_view doc = "What a site has earned since the network began, and the jobs of it, newest first.";
};
BOOST_DESCRIBE_STRUCT(SiteStatement, (), (site, owner, jobs, used, lost, earned, items, next_cursor, revision))

BOOST_DESCRIBE_STRUCT(Page<AccountView>, (), (items, next_cursor, revision))
BOOST_DESCRIBE_STRUCT(Page<TransferView>, (), (items, next_cursor, revision))

}  // namespace weir::api

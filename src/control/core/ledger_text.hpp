// control/core/ledger_text.hpp: the ledger's facts as the journal writes them.
//
// The engine knows no text; control names its fields here. Names are for ever, like those of every event.
//
// Postings are what a journal holds most of: eight thousand of them may be one event. They are written short, as text that a person
// can still read, each field once and only where it says something:
//
//     {"at":"2026-11-22T06:00:00Z","id":"trf-01k...","dr":"acc-5m...","cr":"acc-2b...","amt":500,"cause":"01k...","req":"00a1...",
//      "ledger":1,"code":"redeem"}
//
// `at` is left out where it is that of the posting before, `kind` where it is `moved`, every other field where it has the value
// of a new Posting. Only id and code are always there. A field that is added must be one that an old text lacks.
#pragma once

#include "codec/decode.hpp"
#include "engines/ledger/fact.hpp"

#include <boost/describe.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::ledger {

BOOST_DESCRIBE_ENUM(AccountCode, appropriation, available, voucher, redeemed, expired, revoked, cap_source, entity_cap, supplier_cap,
                    district_quota, cap_used, bank, treasury, subsidy_payable, buyer, buyer_prepaid, supplier, reserve, platform_fee, vat,
                    sla_credit_expense, congestion_rent, rounding, clawback_receivable, clearing, network_loss, quota_source, quota,
                    quota_used, quota_lapsed, pledge, offered, delivered, excused, shortfall)
BOOST_DESCRIBE_ENUM(Bound, none, debits_may_not_exceed_credits, credits_may_not_exceed_debits)
BOOST_DESCRIBE_ENUM(TransferCode, appropriate, fund_cap, top_up, allot, award, hold, redeem, release, lapse, pay_subsidy, advance,
                    advance_offset, pay_out, expire, revoke, clawback, cap_return, charge, charge_correction, sla_credit, refund, fee, tax,
                    round_off, pledge, offer, deliver, shortfall, excuse, trade_buy, trade_sell, congestion)
BOOST_DESCRIBE_ENUM(PostingKind, moved, held, posted, voided, expired)
BOOST_DESCRIBE_STRUCT(AccountOpened, (), (id, at, ledger, code, bound))
BOOST_DESCRIBE_STRUCT(AccountFrozen, (), (id, at, frozen))
BOOST_DESCRIBE_STRUCT(AccountClosed, (), (id, at, turnover))
BOOST_DESCRIBE_STRUCT(IdsForgotten, (), (before_ms, at))

}  // namespace weir::ledger

namespace weir::codec {

/// 48 hexadecimal digits: body, tags_high, tags_low.
template <>
struct Custom<ledger::Fingerprint> {
    static std::optional<ledger::Fingerprint> parse(std::string_view text);
    static std::string text(const ledger::Fingerprint& request);
    static constexpr std::string_view expected = "48 hexadecimal digits";
    static constexpr std::string_view pattern = "^[0-9a-f]{48}$";
};

/// Postings in their short form.
template <>
struct Custom<std::vector<ledger::Posting>> {
    static bool from_value(const Value& value, const Place& place, std::vector<ledger::Posting>& out);
    static void to_json(const std::vector<ledger::Posting>& postings, std::string& out);
};

}  // namespace weir::codec

// control/core/ledger_text.hpp: the ledger's facts as the journal writes them.
//
// The engine knows no text; control names its fields here. Names are for ever, like those of every event.
#pragma once

#include "engines/ledger/fact.hpp"

#include <boost/describe.hpp>

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
BOOST_DESCRIBE_STRUCT(Fingerprint, (), (body, tags_high, tags_low))
BOOST_DESCRIBE_STRUCT(Posting, (),
                      (id, debit, credit, amount, released, pending_id, at, expires_at, cause, actor, second_actor, request, ledger,
                       policy_version, code, kind))
BOOST_DESCRIBE_STRUCT(AccountOpened, (), (id, at, ledger, code, bound))
BOOST_DESCRIBE_STRUCT(AccountFrozen, (), (id, at, frozen))
BOOST_DESCRIBE_STRUCT(AccountClosed, (), (id, at, turnover))
BOOST_DESCRIBE_STRUCT(IdsForgotten, (), (before_ms, at))

}  // namespace weir::ledger

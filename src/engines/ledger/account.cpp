#include "engines/ledger/account.hpp"

#include "base/sha256.hpp"
#include "engines/ledger/canonical.hpp"

namespace weir::ledger {

bool is_known(AccountCode code) {
    const auto number = static_cast<std::uint16_t>(code);
    const auto last_of_hundred = [&]() -> std::uint16_t {
        switch (number / 100) {
            case 1: return static_cast<std::uint16_t>(AccountCode::revoked);
            case 2: return static_cast<std::uint16_t>(AccountCode::cap_used);
            case 3: return static_cast<std::uint16_t>(AccountCode::network_loss);
            case 4: return static_cast<std::uint16_t>(AccountCode::quota_lapsed);
            case 5: return static_cast<std::uint16_t>(AccountCode::shortfall);
            default: return 0;
        }
    }();
    return number % 100 >= 1 && number <= last_of_hundred;
}

bool is_known(Bound bound) { return bound >= Bound::none && bound <= Bound::credits_may_not_exceed_debits; }

Family family_of(AccountCode code) { return static_cast<Family>(static_cast<std::uint16_t>(code) / 100); }

std::optional<Bound> required_bound(AccountCode code) {
    switch (code) {
        case AccountCode::available:
        case AccountCode::voucher:
        case AccountCode::entity_cap:
        case AccountCode::supplier_cap:
        case AccountCode::district_quota:
        case AccountCode::buyer_prepaid:
        case AccountCode::reserve:
        case AccountCode::quota: return Bound::debits_may_not_exceed_credits;
        default: return std::nullopt;
    }
}

bool may_move(AccountCode from, AccountCode to) {
    if (from != AccountCode::voucher) return true;
    return to == AccountCode::redeemed || to == AccountCode::expired || to == AccountCode::revoked || to == AccountCode::available;
}

AccountId account_id_of(LedgerId ledger, AccountCode code, std::string_view owner) {
    Canonical text;
    text.add_text("weir account");
    text.add(ledger);
    text.add(static_cast<std::uint16_t>(code));
    text.add_text(owner);
    return {text.uid()};
}

}  // namespace weir::ledger

// Goal: a posting's short text loses nothing and says each thing once.
// Method: random postings, each field at its default or not, go to text and come back; one text is spelled out; texts that lack
// what they need, or say what nobody knows, are refused.
#include "control/core/events.hpp"

#include "codec/decode.hpp"
#include "codec/encode.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weir::control {
namespace {

using ledger::Posting;
using ledger::PostingKind;
using ledger::TransferCode;

Uid some_uid() { return *rc::gen::element(Uid{}, Uid{1, 2}, Uid{UINT64_MAX, UINT64_MAX}, Uid{*rc::gen::arbitrary<std::uint64_t>(), 7}); }
std::int64_t some_number() { return *rc::gen::element<std::int64_t>(0, 1, 500, INT64_MAX); }

Posting some_posting() {
    Posting p;
    p.id = {some_uid()};
    p.debit = {some_uid()};
    p.credit = {some_uid()};
    p.amount = some_number();
    p.released = some_number();
    p.pending_id = {some_uid()};
    p.at = {*rc::gen::element<std::int64_t>(0, 1'800'000'000'000'000'000, 1'800'000'000'016'000'001)};
    p.expires_at = *rc::gen::element(ledger::never, Instant{}, Instant{1'800'000'001'000'000'000});
    p.cause = some_uid();
    p.actor = some_uid();
    p.second_actor = some_uid();
    p.request = {*rc::gen::element<std::uint64_t>(0, 1, UINT64_MAX), *rc::gen::arbitrary<std::uint64_t>(), 0};
    p.ledger = *rc::gen::element(0U, 1U, UINT32_MAX);
    p.policy_version = *rc::gen::element(0U, 1U, UINT32_MAX);
    p.code = *rc::gen::element(TransferCode::redeem, TransferCode::hold, TransferCode::congestion);
    p.kind = *rc::gen::element(PostingKind::moved, PostingKind::held, PostingKind::posted, PostingKind::voided, PostingKind::expired);
    return p;
}

RC_GTEST_PROP(LedgerText, TakesEveryPostingThereAndBack, ()) {
    LedgerPosted event;
    const auto count = *rc::gen::inRange(0, 5);
    for (int i = 0; i < count; ++i) event.postings.push_back(some_posting());
    // An id is what a posting cannot be without.
    for (auto& posting : event.postings) {
        if (posting.id.uid.is_nil()) posting.id.uid.low = 1;
    }
    const auto text = codec::to_json(event);
    const auto back = codec::decode_json<LedgerPosted>(text, "text");
    RC_ASSERT(back.has_value());
    RC_ASSERT(back->postings == event.postings);
    RC_ASSERT(codec::to_json(*back) == text);
}

TEST(LedgerText, SaysWhatIsNotTheUsualAndNothingTwice) {
    Posting move;
    move.id = {Uid{0x019A0000'00000000, 1}};
    move.debit = {Uid{0, 2}};
    move.credit = {Uid{0, 3}};
    move.amount = 500;
    move.at = {1'795'327'200'000'000'000};
    move.request = {0xABC, 0, 1};
    move.ledger = 1;
    move.code = TransferCode::redeem;
    move.kind = PostingKind::moved;
    Posting hold = move;
    hold.id.uid.low = 2;
    hold.kind = PostingKind::held;
    hold.code = TransferCode::hold;
    hold.request = {};
    std::string text;
    codec::write_json(std::vector{move, hold}, text);
    EXPECT_EQ(text,
              R"([{"at":"2026-11-22T06:00:00Z","id":"trf-01k80000000000000000000001","dr":"acc-00000000000000000000000002",)"
              R"("cr":"acc-00000000000000000000000003","amt":500,"req":"0000000000000abc00000000000000000000000000000001",)"
              R"("ledger":1,"code":"redeem"},)"
              R"({"id":"trf-01k80000000000000000000002","kind":"held","dr":"acc-00000000000000000000000002",)"
              R"("cr":"acc-00000000000000000000000003","amt":500,"ledger":1,"code":"hold"}])");
}

TEST(LedgerText, RefusesWhatItDoesNotUnderstand) {
    const auto refuses = [](const std::string& posting) {
        return !codec::decode_json<LedgerPosted>(R"({"opened":[],"postings":[)" + posting + "]}", "text");
    };
    const std::string id = R"("id":"trf-00000000000000000000000001")";
    EXPECT_FALSE(refuses("{" + id + R"(,"code":"redeem"})"));
    EXPECT_TRUE(refuses(R"({"code":"redeem"})")) << "no id";
    EXPECT_TRUE(refuses("{" + id + "}")) << "no code";
    EXPECT_TRUE(refuses("{" + id + R"(,"code":"redeem","colour":1})")) << "a field of a newer program";
    EXPECT_TRUE(refuses("{" + id + R"(,"code":"redeem","req":"abc"})")) << "half a fingerprint";
    EXPECT_TRUE(refuses("{" + id + R"(,"code":"redeem","req":"00000000000000000000000000000000000000000000000G"})"));
    EXPECT_TRUE(refuses("7")) << "no posting";
}

}  // namespace
}  // namespace weir::control

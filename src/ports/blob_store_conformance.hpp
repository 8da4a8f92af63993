// ports/blob_store_conformance.hpp: the one suite that every store of what projects keep passes.
//
// Goal: wherever the bytes lie, who stores them sees the same promises (ports/blob_store.hpp, ports/data_store.hpp).
// Method: typed tests over a World, which each adapter's test defines:
//
//     struct World {
//         BlobResult<std::shared_ptr<DataStore>> open();  // the same store at each call, by an object that was not there before
//         void damage(const Digest& digest);              // turns one bit of a blob where it lies
//         bool fill();                                    // what is large fits no more, until free(); false: it cannot be made so
//         void free();
//         static constexpr std::size_t large = ...;       // bytes of a blob that is copied in several pieces
//     };
//     INSTANTIATE_TYPED_TEST_SUITE_P(Local, BlobStoreConformance, World);
//
// A copy is cut at each place where it asks whether it may go on; what came of it is taken up by another object, as after a kill.
#pragma once

#include "base/random.hpp"
#include "ports/data_store.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

namespace weir::ports {

/// Lets a copy go on so many times.
class CutCopy final : public Copying {
public:
    explicit CutCopy(std::int64_t times) : left_{times} {}
    [[nodiscard]] Onward onward(std::int64_t) override { return left_-- > 0 ? Onward::go_on : Onward::later; }
    [[nodiscard]] bool was_cut() const { return left_ < 0; }

private:
    std::int64_t left_;
};

/// A file without a name.
class BytesFile {
public:
    explicit BytesFile(std::string_view bytes = {}) : file_{::memfd_create("test", MFD_CLOEXEC)} {
        EXPECT_EQ(::write(file_, bytes.data(), bytes.size()), std::ssize(bytes));
    }
    BytesFile(const BytesFile&) = delete;
    BytesFile& operator=(const BytesFile&) = delete;
    ~BytesFile() { ::close(file_); }
    [[nodiscard]] int get() const { return file_; }
    [[nodiscard]] std::string text() const { return text_of(file_); }
    static std::string text_of(int file) {
        std::string text(static_cast<std::size_t>(::lseek(file, 0, SEEK_END)), '\0');
        EXPECT_EQ(::pread(file, text.data(), text.size(), 0), std::ssize(text));
        return text;
    }

private:
    int file_;
};

inline std::string random_bytes(std::size_t count, std::string_view seed) {
    Random random{7, seed};
    std::string bytes(count, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random.between(0, 255));
    return bytes;
}

template <class World>
class BlobStoreConformance : public testing::Test {
protected:
    std::shared_ptr<DataStore> must_open() {
        auto opened = world_.open();
        if (!opened) {
            ADD_FAILURE() << opened.error().message;
            return nullptr;
        }
        return std::move(*opened);
    }
    static SizedDigest sized(std::string_view bytes) { return {sha256(bytes), std::ssize(bytes)}; }
    static BlobResult<void> put(DataStore& store, const std::string& bytes, Copying& copying) {
        const BytesFile file{bytes};
        return store.put(sha256(bytes), std::ssize(bytes), file.get(), copying);
    }
    static BlobResult<void> put(DataStore& store, const std::string& bytes) {
        Unhindered unhindered;
        return put(store, bytes, unhindered);
    }
    static BlobResult<std::string> fetch(DataStore& store, const Digest& digest) {
        const BytesFile into;
        Unhindered unhindered;
        WEIR_CHECK(store.fetch(digest, into.get(), unhindered));
        return into.text();
    }
    static bool lists(DataStore& store, const Digest& digest) {
        const auto blobs = store.list();
        EXPECT_TRUE(blobs) << (blobs ? "" : blobs.error().message);
        return blobs && std::ranges::any_of(*blobs, [&](const auto& blob) { return blob.digest == digest; });
    }
    static bool is_there(DataStore& store, std::string_view bytes) {
        const auto missing = store.lacking(std::vector{sized(bytes)});
        EXPECT_TRUE(missing) << (missing ? "" : missing.error().message);
        return missing && missing->empty();
    }
    template <class T>
    static std::optional<BlobFault> fault(const BlobResult<T>& result) {
        if (result) return std::nullopt;
        EXPECT_FALSE(result.error().message.empty());
        return result.error().fault;
    }

    World world_;
};

TYPED_TEST_SUITE_P(BlobStoreConformance);

TYPED_TEST_P(BlobStoreConformance, WhatIsPutIsFoundByItsDigestAlsoByTheNextOne) {
    const std::vector<std::string> all{"", "small", random_bytes(TypeParam::large, "one"), random_bytes(TypeParam::large / 2, "two")};
    {
        auto store = this->must_open();
        for (const auto& bytes : all) {
            EXPECT_FALSE(this->is_there(*store, bytes));
            const auto done = this->put(*store, bytes);
            ASSERT_TRUE(done) << done.error().message;
            EXPECT_TRUE(this->put(*store, bytes)) << "repeating it is harmless";
        }
        EXPECT_TRUE(store->put_all(std::vector{SmallBlob{sha256("a"), "a"}, SmallBlob{sha256("b"), "b"}, SmallBlob{sha256("a"), "a"}}));
        EXPECT_TRUE(store->put_bytes(sha256("c"), "c"));
    }
    auto store = this->must_open();
    for (const auto& bytes : all) {
        EXPECT_TRUE(this->is_there(*store, bytes));
        EXPECT_EQ(this->fetch(*store, sha256(bytes)).value(), bytes);
        EXPECT_EQ(store->fetch_bytes(sha256(bytes), bytes.size()).value(), bytes);
    }
    const auto opened = store->open(sha256(all[2]));
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened->size, std::ssize(all[2]));
    EXPECT_EQ(BytesFile::text_of(opened->file), all[2]);
    ::close(opened->file);
    EXPECT_EQ(this->fault(store->fetch_bytes(sha256(all[2]), all[2].size() - 1)), BlobFault::damaged) << "larger than was asked for";
    const auto blobs = store->list().value();
    EXPECT_EQ(blobs.size(), 7U);
    EXPECT_TRUE(std::ranges::is_sorted(blobs, {}, &StoredBlob::digest));
    for (const auto& blob : blobs) EXPECT_GT(blob.stored_s, 0);
    EXPECT_GT(store->room().value(), 0);
}

TYPED_TEST_P(BlobStoreConformance, WhatIsNotThereIsSaidSo) {
    auto store = this->must_open();
    const auto nothing = sha256("nothing");
    EXPECT_EQ(this->fault(this->fetch(*store, nothing)), BlobFault::not_found);
    EXPECT_EQ(this->fault(store->fetch_bytes(nothing, 100)), BlobFault::not_found);
    EXPECT_EQ(this->fault(store->open(nothing)), BlobFault::not_found);
    const auto removed = store->remove(std::vector{nothing});
    ASSERT_TRUE(removed) << removed.error().message;
    EXPECT_EQ(removed->files, 0);
    EXPECT_TRUE(store->list().value().empty());
    EXPECT_EQ(store->uploaded(this->sized("nothing")).value(), 0);
}

TYPED_TEST_P(BlobStoreConformance, OtherBytesThanTheDigestSaysAreRefusedAndLeaveNothing) {
    auto store = this->must_open();
    const auto bytes = random_bytes(TypeParam::large, "announced");
    auto other = bytes;
    other.back() ^= 1;
    const BytesFile file{other};
    Unhindered unhindered;
    EXPECT_EQ(this->fault(store->put(sha256(bytes), std::ssize(bytes), file.get(), unhindered)), BlobFault::damaged);
    EXPECT_EQ(this->fault(store->put(sha256(other), std::ssize(other) + 1, file.get(), unhindered)), BlobFault::damaged) << "it is shorter";
    EXPECT_EQ(this->fault(store->put_bytes(sha256("x"), "y")), BlobFault::damaged);
    EXPECT_EQ(this->fault(store->put_all(std::vector{SmallBlob{sha256("x"), "y"}})), BlobFault::damaged);
    EXPECT_TRUE(store->list().value().empty());
    EXPECT_TRUE(this->put(*store, bytes)) << "what came before does not stand in its way";
    EXPECT_EQ(this->fetch(*store, sha256(bytes)).value(), bytes);
}

TYPED_TEST_P(BlobStoreConformance, ACopyThatIsCutAnywhereIsNeverThereInHalfAndIsTakenUp) {
    const auto bytes = random_bytes(TypeParam::large, "cut");
    int cuts = 0;
    for (std::int64_t times = 0; times < 1000; ++times) {
        auto store = this->must_open();
        CutCopy copying{times};
        const auto done = this->put(*store, bytes, copying);
        if (done) break;
        ++cuts;
        EXPECT_EQ(this->fault(done), BlobFault::unavailable) << done.error().message;
        // Where the last thing was cut, that it is there whole, it may be there; half of it never is.
        const bool named = this->lists(*store, sha256(bytes));
        ASSERT_EQ(named, this->is_there(*store, bytes)) << "cut after " << times;
        if (named) ASSERT_EQ(this->fetch(*store, sha256(bytes)).value(), bytes) << "cut after " << times;
    }
    EXPECT_GE(cuts, 3) << "a large blob is copied in pieces";
    auto store = this->must_open();
    EXPECT_EQ(this->fetch(*store, sha256(bytes)).value(), bytes);
    EXPECT_EQ(store->list().value().size(), 1U);
}

TYPED_TEST_P(BlobStoreConformance, AnUploadInPiecesGoesOnWhereItBrokeOff) {
    const auto bytes = random_bytes(TypeParam::large, "pieces");
    const auto blob = this->sized(bytes);
    const auto piece = bytes.size() / 5;
    for (std::size_t at = 0; at < bytes.size();) {
        auto store = this->must_open();
        ASSERT_EQ(store->uploaded(blob).value(), static_cast<std::int64_t>(at));
        EXPECT_EQ(this->fault(store->append(blob, static_cast<std::int64_t>(at) + 1, "x")), BlobFault::unavailable) << "not the next one";
        ASSERT_FALSE(this->lists(*store, blob.digest));
        const auto next = bytes.substr(at, piece);
        const auto have = store->append(blob, static_cast<std::int64_t>(at), next);
        ASSERT_TRUE(have) << have.error().message;
        at += next.size();
        EXPECT_EQ(*have, static_cast<std::int64_t>(at));
    }
    auto store = this->must_open();
    EXPECT_EQ(store->uploaded(blob).value(), blob.size);
    EXPECT_EQ(this->fetch(*store, blob.digest).value(), bytes);
    auto other = bytes;
    other.front() ^= 1;
    const SizedDigest announced{sha256("something else"), blob.size};
    EXPECT_EQ(this->fault(store->append(announced, 0, other)), BlobFault::damaged);
    EXPECT_EQ(store->uploaded(announced).value(), 0) << "it begins anew";
    EXPECT_TRUE(store->append(this->sized("half"), 0, "ha"));
    EXPECT_EQ(store->remove_uploads(std::numeric_limits<std::int64_t>::max()).value().files, 1);
    EXPECT_EQ(store->uploaded(this->sized("half")).value(), 0);
    EXPECT_EQ(store->list().value().size(), 1U) << "what is whole stays";
}

TYPED_TEST_P(BlobStoreConformance, DamageIsNeverHandedOnAsGoodAndTheNextPutMendsIt) {
    const auto large = random_bytes(TypeParam::large, "rot");
    for (const auto& bytes : {large, std::string{"small"}}) {
        auto store = this->must_open();
        ASSERT_TRUE(this->put(*store, bytes));
        this->world_.damage(sha256(bytes));
        EXPECT_EQ(this->fault(this->fetch(*store, sha256(bytes))), BlobFault::damaged);
        ASSERT_TRUE(this->put(*store, bytes));
        const auto mended = this->fetch(*store, sha256(bytes));
        ASSERT_TRUE(mended) << mended.error().message;
        EXPECT_EQ(*mended, bytes);
    }
}

TYPED_TEST_P(BlobStoreConformance, WhatIsRemovedIsGoneAndTheRestIsNot) {
    auto store = this->must_open();
    std::vector<std::string> all{random_bytes(TypeParam::large, "first"), random_bytes(TypeParam::large, "second")};
    for (int i = 0; i < 6; ++i) all.push_back("file " + std::to_string(i));
    for (const auto& bytes : all) ASSERT_TRUE(this->put(*store, bytes));
    const auto removed = store->remove(std::vector{sha256(all[0]), sha256(all[2]), sha256("never there")});
    ASSERT_TRUE(removed) << removed.error().message;
    EXPECT_EQ(removed->files, 2);
    EXPECT_EQ(removed->bytes, std::ssize(all[0]) + std::ssize(all[2]));
    EXPECT_EQ(store->list().value().size(), all.size() - 2);
    EXPECT_FALSE(this->is_there(*store, all[0]));
    EXPECT_EQ(this->fault(this->fetch(*store, sha256(all[0]))), BlobFault::not_found);
    EXPECT_EQ(this->fetch(*store, sha256(all[1])).value(), all[1]);
    std::vector<Digest> rest;
    for (const auto& bytes : all) rest.push_back(sha256(bytes));
    EXPECT_EQ(store->remove(rest).value().files, std::ssize(all) - 2);
    EXPECT_TRUE(store->list().value().empty());
    ASSERT_TRUE(this->put(*store, all[0])) << "it may come again";
    EXPECT_EQ(this->fetch(*store, sha256(all[0])).value(), all[0]);
}

TYPED_TEST_P(BlobStoreConformance, AFullStoreSaysSoAndLosesNothing) {
    auto store = this->must_open();
    ASSERT_TRUE(this->put(*store, "kept"));
    const auto bytes = random_bytes(TypeParam::large, "too much");
    const BytesFile file{bytes};
    Unhindered unhindered;
    if (!this->world_.fill()) GTEST_SKIP() << "this store cannot be filled here";
    const auto done = store->put(sha256(bytes), std::ssize(bytes), file.get(), unhindered);
    this->world_.free();
    EXPECT_EQ(this->fault(done), BlobFault::unavailable);
    EXPECT_FALSE(this->is_there(*store, bytes));
    EXPECT_EQ(this->fetch(*store, sha256("kept")).value(), "kept");
    EXPECT_TRUE(this->put(*store, bytes));
    EXPECT_EQ(this->fetch(*store, sha256(bytes)).value(), bytes);
}

REGISTER_TYPED_TEST_SUITE_P(BlobStoreConformance, WhatIsPutIsFoundByItsDigestAlsoByTheNextOne, WhatIsNotThereIsSaidSo,
                            OtherBytesThanTheDigestSaysAreRefusedAndLeaveNothing, ACopyThatIsCutAnywhereIsNeverThereInHalfAndIsTakenUp,
                            AnUploadInPiecesGoesOnWhereItBrokeOff, DamageIsNeverHandedOnAsGoodAndTheNextPutMendsIt,
                            WhatIsRemovedIsGoneAndTheRestIsNot, AFullStoreSaysSoAndLosesNothing);

}  // namespace weir::ports

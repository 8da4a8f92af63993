// Goal: what has left the core is told by the views with its final figures, and by nothing else.
// Method: entries as the journal has them, taken in by a database of the test's own.
#include "adapters/views_sql/views.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace weir::views {
namespace {

class Folder {
public:
    Folder() {
        auto made = (std::filesystem::temp_directory_path() / "weir_views_XXXXXX").string();
        path_ = ::mkdtemp(made.data());
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string file() const { return path_ + "/views.db"; }

private:
    std::string path_;
};

Result<void, std::string> take(Views& views, const control::Entry& entry) {
    return views.take(std::vector{std::span{&entry, 1}});
}

TEST(Views, AVoucherIsToldOnceItHasEndedWithItsFinalFigures) {
    const Folder folder;
    auto views = Views::open(folder.file());
    ASSERT_TRUE(views) << views.error();
    const Instant at{1'800'000'000'000'000'000};
    const Voucher voucher{{make_uid(at, 1, 1)}, ProgrammeName{"p1"}, OrganisationName{"lab"}, Fen{50'000}, at, at + hours(24)};
    ASSERT_TRUE(take(**views, {1, at, "system", control::VoucherAwarded{voucher}}));
    EXPECT_FALSE((*views)->voucher(voucher.id).value()) << "in force: the core tells of it";
    ASSERT_TRUE(take(**views, {2, at + hours(50), "system", control::VoucherEnded{voucher.id, Fen{60}, Fen{49'940}}}));
    const auto ended = (*views)->voucher(voucher.id).value();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->voucher, voucher);
    EXPECT_EQ(ended->redeemed, Fen{60});
    EXPECT_EQ(ended->expired, Fen{49'940});
    EXPECT_EQ(ended->ended_at, at + hours(50));
    EXPECT_FALSE((*views)->voucher({make_uid(at, 1, 2)}).value());
}

}  // namespace
}  // namespace weir::views

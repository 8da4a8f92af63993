#include "adapters/views_sql/rows.hpp"

#include "codec/decode.hpp"
#include "codec/encode.hpp"

#include <array>
#include <map>
#include <string>
#include <variant>

namespace weir::views {
namespace {

using namespace control;

template <class T>
std::string json(const T& value) {
    std::string text;
    codec::write_json(value, text);
    return text;
}

template <class E>
std::string name_of(E value) {
    return std::string{codec::name_of(value)};
}

/// Binds its arguments from 1 on, every one of them, and runs the statement; texts live until it has run.
class Row {
public:
    Row(Rows& rows, std::string_view sql) : statement_{rows.statement(sql)} {}
    Row& text(std::string value) {
        auto& kept = texts_.at(static_cast<std::size_t>(count_));
        kept = std::move(value);
        if (statement_) statement_.bind_text(++count_, kept);
        return *this;
    }
    Row& number(std::int64_t value) {
        if (statement_) statement_.bind(++count_, value);
        return *this;
    }
    Row& nothing() {
        if (statement_) statement_.bind_null(++count_);
        return *this;
    }
    [[nodiscard]] bool run() { return statement_ && statement_.run() == SQLITE_OK; }

private:
    store::Statement& statement_;
    std::array<std::string, 12> texts_;  ///< No statement has more arguments.
    int count_ = 0;
};

struct Writer {
    Rows& rows;
    const Entry& entry;

    [[nodiscard]] bool update(JobId job, JobState state, Reason reason) const {
        return Row{rows, "update job set state=?2, reason=?3 where id=?1"}
            .text(job.text())
            .text(name_of(state))
            .text(name_of(reason))
            .run();
    }
    [[nodiscard]] bool end_task(JobId job, std::uint32_t generation, Reason reason) const {
        return Row{rows, "update task set ended_ns=?3, end_reason=?4 where job=?1 and generation=?2 and ended_ns is null"}
            .text(job.text()).number(generation).number(entry.at.ns).text(name_of(reason)).run();
    }

    [[nodiscard]] bool begin_task(JobId job, std::uint32_t generation, const Placement& placement) const {
        return Row{rows,
                   "insert into task(job, generation, site, model, emulated, fen_per_card_hour, placed_ns) values(?1,?2,?3,?4,?5,?6,?7)"}
            .text(job.text())
            .number(generation)
            .text(placement.site.value)
            .text(placement.model)
            .number(placement.emulated ? 1 : 0)
            .number(placement.fen_per_card_hour.value)
            .number(entry.at.ns)
            .run();
    }
    [[nodiscard]] bool give_up_place(JobId job) const {
        return Row{rows, "delete from reservation where job=?1"}.text(job.text()).run();
    }

    /// What the bill brings each of its sites.
    [[nodiscard]] bool earn(const JobFinished& e) const {
        struct Sums {
            std::int64_t used = 0, lost = 0, earned = 0;
        };
        std::map<SiteName, Sums> sites;
        for (const auto& line : e.bill) {
            auto& sums = sites[line.site];
            (line.payer == Payer::provider ? sums.lost : sums.used) += line.used.value;
            sums.earned += line.amount.value;
        }
        for (const auto& [site, sums] : sites) {
            const bool done = Row{rows, "insert into earning values(?1,?2,?3,?4,?5,?6,?7)"}
                                  .text(site.value)
                                  .number(static_cast<std::int64_t>(entry.revision))
                                  .text(e.job.text())
                                  .number(entry.at.ns)
                                  .number(sums.used)
                                  .number(sums.lost)
                                  .number(sums.earned)
                                  .run() &&
                              Row{rows,
                                  "insert into earned values(?1,1,?2,?3,?4) on conflict(site) do update set jobs=jobs+1, used=used+?2, "
                                  "lost=lost+?3, earned=earned+?4"}
                                  .text(site.value)
                                  .number(sums.used)
                                  .number(sums.lost)
                                  .number(sums.earned)
                                  .run();
            if (!done) return false;
        }
        return true;
    }

    bool operator()(const JobSubmitted& e) const {
        return Row{rows,
                   "insert into job(id, project, submitter, name, spec, state, reason, submitted_ns) values(?1,?2,?3,?4,?5,?6,?7,?8)"}
            .text(e.job.text())
            .text(e.project.value)
            .text(e.submitter.value)
            .text(e.spec->name)
            .text(json(e.spec))
            .text(name_of(JobState::queued))
            .text(name_of(Reason::submitted))
            .number(entry.at.ns)
            .run();
    }
    bool operator()(const JobPlaced& e) const {
        const bool job = Row{rows, "update job set state=?2, reason=?3, generation=?4, placement=?5 where id=?1"}
                             .text(e.job.text()).text(name_of(JobState::placed)).text(name_of(Reason::placed)).number(e.generation)
                             .text(json(e.placement)).run();
        return job && begin_task(e.job, e.generation, e.placement);
    }
    bool operator()(const JobMoveReserved& e) const {
        return Row{rows, "insert or replace into reservation(job, generation, placement) values(?1,?2,?3)"}
            .text(e.job.text()).number(e.generation).text(json(e.target)).run();
    }
    bool operator()(const JobMoveEnded& e) const { return give_up_place(e.job); }
    /// It takes the place that was held for it, at the price of this moment.
    bool operator()(const JobMoved& e) const {
        auto& held = rows.statement("select generation, placement from reservation where job=?1");
        const auto id = e.job.text();
        if (!held) return false;
        held.bind_text(1, id);
        const bool found = held.step() == SQLITE_ROW;
        const auto generation = found ? static_cast<std::uint32_t>(held.integer(0)) : 0U;
        auto place = codec::decode_json<Placement>(found ? held.bytes(1) : std::string_view{}, "views");
        held.reset();
        if (!found || !place) return false;
        place->fen_per_card_hour = e.fen_per_card_hour;
        const bool job = Row{rows, "update job set state=?2, reason=?3, generation=?4, placement=?5 where id=?1"}
                             .text(id).text(name_of(JobState::moving)).text(name_of(e.reason)).number(generation).text(json(*place)).run();
        return job && end_task(e.job, e.generation, e.reason) && begin_task(e.job, generation, *place) && give_up_place(e.job);
    }
    bool operator()(const JobArrived& e) const {
        return Row{rows, "insert into moved values(?1,?2,?3,?4,?5,?6,?7,?8)"}
            .text(e.job.text()).number(e.generation).text(e.from.value).text(e.to.value).number(entry.at.ns).number(e.pause_ms)
            .number(e.lost.value).number(e.prepared ? 1 : 0).run();
    }
    bool operator()(const JobStopOrdered& e) const { return e.reason == Reason::moving || give_up_place(e.job); }
    bool operator()(const JobStateChanged& e) const { return update(e.job, e.to, e.reason); }
    bool operator()(const TaskMetered& e) const {
        Row row{rows, "insert into usage values(?1,?2,?3,?4,?5,?6,?7,?8)"};
        row.text(e.job.text()).number(e.generation).number(e.node_rank).number(static_cast<std::int64_t>(e.sequence))
            .number(e.from_s).number(e.to_s).number(e.used.value);
        if (e.lost_to) {
            row.text(name_of(*e.lost_to));
        } else {
            row.nothing();
        }
        return row.run();
    }
    bool operator()(const JobRequeued& e) const {
        return update(e.job, JobState::queued, e.reason) && end_task(e.job, e.generation, e.reason) && give_up_place(e.job);
    }
    bool operator()(const JobFinished& e) const {
        const bool job = Row{rows, "update job set state=?2, reason=?3, finished_ns=?4, exit_code=?5, bill=?6, paid=?7 where id=?1"}
                             .text(e.job.text()).text(name_of(e.outcome)).text(name_of(e.reason)).number(entry.at.ns).number(e.exit_code)
                             .text(json(e.bill)).text(json(e.paid)).run();
        return job && give_up_place(e.job) && earn(e) &&
               Row{rows, "update task set ended_ns=?2, end_reason=?3 where job=?1 and ended_ns is null"}
                   .text(e.job.text())
                   .number(entry.at.ns)
                   .text(name_of(e.reason))
                   .run();
    }
    bool operator()(const VoucherAwarded& e) const {
        return Row{rows, "insert into voucher(id, voucher, organisation) values(?1,?2,?3)"}
            .text(e.voucher.id.text()).text(json(e.voucher)).text(e.voucher.organisation.value).run();
    }
    bool operator()(const VoucherEnded& e) const {
        return Row{rows, "update voucher set redeemed=?2, expired=?3, ended_ns=?4 where id=?1"}
            .text(e.voucher.text()).number(e.redeemed.value).number(e.expired.value).number(entry.at.ns).run();
    }
    bool operator()(const LedgerPosted& e) const {
        for (const auto& p : e.postings) {
            const bool done = Row{rows, "insert into transfer values(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)"}
                                  .text(p.id.text())
                                  .number(p.ledger)
                                  .text(name_of(p.kind))
                                  .text(name_of(p.code))
                                  .text(p.debit.text())
                                  .text(p.credit.text())
                                  .number(p.amount)
                                  .number(p.released)
                                  .number(p.at.ns)
                                  .text(format_uid(p.cause))
                                  .number(static_cast<std::int64_t>(entry.revision))
                                  .run();
            if (!done) return false;
        }
        return true;
    }
    bool operator()(const auto&) const { return true; }
};

}  // namespace

store::Statement& Rows::statement(std::string_view sql) {
    auto& kept = statements_[sql];
    if (!kept) kept = connection_.prepare(sql);
    return kept;
}

bool Rows::write(const Entry& entry) { return std::visit(Writer{*this, entry}, entry.event); }

}  // namespace weir::views

// sim/server.hpp: the server as the simulator runs it: the real writer, reader, leases and recovery on a fake disk.
//
// It dies at durable boundaries and starts again from what the disk has. What it was asked and had not answered is lost,
// as in life.
#pragma once

#include "base/random.hpp"
#include "control/desired.hpp"
#include "control/leases.hpp"
#include "control/reader.hpp"
#include "control/recover.hpp"
#include "control/snapshot_keeper.hpp"
#include "control/writer.hpp"
#include "memory_journal.hpp"
#include "probes.hpp"
#include "timeline.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace weir::sim {

using AnswerTo = std::function<void(const control::Answer&)>;

class Server {
public:
    Server(Timeline& timeline, Random random, Probes& probes, control::Policy policy, Catalogue catalogue);

    [[nodiscard]] bool up() const { return writer_ != nullptr; }
    [[nodiscard]] const control::Core& core() const { return writer_->core(); }
    [[nodiscard]] const control::Reader& reader() const { return *reader_; }
    [[nodiscard]] Disk& disk() { return disk_; }

    /// Queues a request; nothing happens, ever, where the server is down or dies first.
    void submit(control::Request request, AnswerTo answer);
    /// A report as the API takes it: an empty one renews leases and writes nothing.
    void report(const SiteReport& report, std::function<void(Result<ReportAnswer, control::Refusal>)> answer);

    /// A page of what should run at a site, as the API answers it at once; none where the server is down or knows no such site.
    [[nodiscard]] std::optional<DesiredPage> desired(const SiteName& site, const control::DesiredAsk& ask) const;

    void crash();
    void start(bool use_snapshots);
    void keep_snapshot();
    void jump_wall(Duration by) { wall_offset_ = wall_offset_ + by; }
    /// What the next append will do; anything but success ends the server.
    void fail_next(AppendFault fault) { journal_->fail_next(fault); }

    /// Every durable entry, in order; also those of a commit that was not answered.
    std::function<void(const control::Entry&)> on_entry;
    /// The first thing that should not have been; empty: none.
    std::string broken;

private:
    [[nodiscard]] const control::State& read() const;
    void work();

    Timeline& timeline_;
    Random random_;
    Probes& probes_;
    control::Policy policy_;
    Catalogue catalogue_;
    Disk disk_;
    std::unique_ptr<MemoryJournal> journal_;
    std::unique_ptr<control::Writer> writer_;
    std::unique_ptr<control::Reader> reader_;
    std::unique_ptr<control::SnapshotKeeper> snapshots_;
    std::optional<control::LeaseKeeper> leases_;
    std::vector<control::Request> inbox_;
    std::vector<AnswerTo> answers_;
    Duration wall_offset_;
    std::uint64_t life_ = 0;      ///< Timers of an earlier life do nothing.
    std::uint64_t announced_ = 0; ///< Entries up to this revision were told to on_entry.
    control::State told_;         ///< These, read from the disk one by one and folded: what every recovery must come to.
    bool work_planned_ = false;
    void plan_work(Duration delay);
    void announce();
};

}  // namespace weir::sim

// agent/report_book.hpp: one report after the other, each until it is acknowledged.
//
// It answers one question: which report is to be sent now, with which number? A report that was cut is sent again unchanged until
// the server has taken it in, but for how long ago its lines are by then; only then may the next be cut. What a report should say is the
// reconciler's.
#pragma once

#include "domain/agent_link.hpp"
#include "ports/site_backend.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace weir::agent {

class ReportBook {
public:
    explicit ReportBook(SiteName site) : site_{std::move(site)} {}

    /// Forgets what was not acknowledged. The next report has number 1.
    void begin(std::string session) {
        session_ = std::move(session);
        acknowledged_ = 0;
        waiting_.reset();
    }
    [[nodiscard]] bool has_session() const { return !session_.empty(); }
    [[nodiscard]] const std::string& session() const { return session_; }
    /// Nothing of this session was taken in yet.
    [[nodiscard]] bool is_new() const { return acknowledged_ == 0; }

    /// The report that waits for its acknowledgement.
    [[nodiscard]] const std::optional<SiteReport>& waiting() const { return waiting_; }

    /// The report that waits, as it is to be sent at this moment: what it tells of is longer ago than when it was cut.
    const SiteReport& waiting_at(ports::BootInstant now) {
        const auto older_ms = (now.ns - told_at_.ns) / 1'000'000;
        for (auto& task : waiting_->tasks) {
            if (task.ago_ms) *task.ago_ms += older_ms;
        }
        told_at_.ns += older_ms * 1'000'000;
        return *waiting_;
    }

    /// Numbers a report, which then waits. Only while none waits.
    const SiteReport& cut(SiteReport report, ports::BootInstant now) {
        told_at_ = now;
        report.site = site_;
        report.session = session_;
        report.sequence = acknowledged_ + 1;
        return waiting_.emplace(std::move(report));
    }

    /// Says nothing but that the agent lives; none before the first report of the session was taken in.
    [[nodiscard]] std::optional<SiteReport> heartbeat() const {
        if (acknowledged_ == 0) return std::nullopt;
        SiteReport report;
        report.site = site_;
        report.session = session_;
        report.sequence = acknowledged_;
        return report;
    }

    /// The report that this answer acknowledges, if it does.
    std::optional<SiteReport> acknowledge(std::uint64_t sequence) {
        if (!waiting_ || waiting_->sequence != sequence) return std::nullopt;
        acknowledged_ = sequence;
        return std::exchange(waiting_, std::nullopt);
    }

private:
    SiteName site_;
    std::string session_;
    std::uint64_t acknowledged_ = 0;
    std::optional<SiteReport> waiting_;
    ports::BootInstant told_at_;  ///< The moment that its lines are told of.
};

}  // namespace weir::agent

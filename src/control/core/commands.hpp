// control/core/commands.hpp: everything that can be asked of the core, by people, agents and timers.
#pragma once

#include "control/core/events.hpp"
#include "domain/agent_link.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace weir::control {

/// Who asks. Made by the transport from a token that the reader knows; checked again by decide.
struct Actor {
    enum class Kind : std::uint8_t { system = 1, subject = 2, agent = 3 };
    Kind kind = Kind::system;
    SubjectName subject;              ///< Of a subject.
    TokenId token;                    ///< What it came with; nil for the system.
    SiteName site;                    ///< Of an agent.
    [[nodiscard]] std::string text() const;  ///< For the audit log: `subject:alice`, `agent:site-a`, `system`.
    [[nodiscard]] Uid id() const;            ///< For transfers, which name nobody in words: 128 bits of a digest of text().
};

struct SetOrganisation { Organisation organisation; };
struct SetProject { Project project; };
struct SetRoles { SubjectName subject; ProjectName project; std::vector<Role> roles; };
struct IssueToken { Token token; };
struct RevokeToken { TokenId token; };
struct SetSite { Site site; };
struct OpenProgramme { Programme programme; };
struct AwardVoucher { VoucherId id; ProgrammeName programme; OrganisationName organisation; Fen amount; };
/// Money arrives at an organisation's prepaid balance. `transfer` is made by the client.
struct Deposit { Uid transfer; OrganisationName organisation; Fen amount; };

struct SubmitJob { JobId id; ProjectName project; Frozen<JobSpec> spec; Digest body; };
struct CancelJob { JobId job; };

/// A job is to go on at another site, or that is taken back.
struct MoveJob { JobId job; std::optional<SiteName> to; bool restart = false; bool call_off = false; };
/// `deadline` of a drain: when the last of its work stops.
struct SetSiteDuty { SiteName site; SiteDuty duty = SiteDuty::working; std::optional<Instant> deadline; };
/// A model of the catalogue as this network knows it, in place of the file's where that has it, too.
struct SetAccelerator { Accelerator accelerator; };
struct SuspendOrganisation { OrganisationName organisation; bool suspended = true; };

/// Every byte of the tree lies in the project's store: it is kept, for a job that will name it.
struct KeepTree { ProjectName project; Digest tree; TreeSize size; };
/// A tree that no job uses is removed.
struct RemoveTree { ProjectName project; Digest tree; };
/// The project's named files become this tree, whose bytes are stored; `before` is what they must be now.
struct SetFiles { ProjectName project; std::optional<Digest> before; std::optional<Digest> tree; TreeSize size; };
/// The outputs of a job are removed before their time.
struct RemoveOutputs { JobId job; };
struct SetDataQuota { ProjectName project; std::int64_t bytes = 0; };
/// The keeper of the store removed what a dropped tree had alone.
struct ConfirmErased { ProjectName project; Digest tree; Digest list; std::vector<ErasedCopy> copies; };

/// The keeper of leases found that this generation can no longer be running: lease, kill grace and drift bound are over.
struct LoseTask { JobId job; std::uint32_t generation = 0; };
/// The keeper of leases has not heard a site for longer than the policy allows.
struct SilenceSite { SiteName site; };
/// The first command of a leader's life: which epoch the store gave it.
/// `generations_above`: of a restored store, what generations that begin from now on are numbered above (generations_above_of()).
struct StartLeader { std::uint64_t epoch = 0; std::string build; std::uint32_t generations_above = 0; };
/// Time has passed: deadlines, expiries, and a chance to place what waits.
struct Tick { };

using Command =
    std::variant<SetOrganisation, SetProject, SetRoles, IssueToken, RevokeToken, SetSite, OpenProgramme, AwardVoucher, Deposit, SubmitJob,
                 CancelJob, MoveJob, SetSiteDuty, SetAccelerator, SuspendOrganisation, KeepTree, RemoveTree, SetFiles, RemoveOutputs,
                 SetDataQuota, ConfirmErased, SiteReport, LoseTask, SilenceSite, StartLeader, Tick>;

struct Request {
    Actor actor;
    Command command;
    std::string key{};                ///< Of the client, for idempotency; may be empty.
    Digest body{};                    ///< Of the request as it was sent; what makes two requests with one key the same.
};

}  // namespace weir::control

// domain/names.hpp: the kinds of names and ids that the nouns are known by.
#pragma once

#include "base/id.hpp"

#include <string_view>

namespace weir {

struct OrganisationKind_ { };
struct ProjectKind_ { };
struct SubjectKind_ { };
struct SiteKind_ { };
struct NodeKind_ { };
struct ProgrammeKind_ { };

using OrganisationName = Name<OrganisationKind_>;
using ProjectName = Name<ProjectKind_>;
/// Who acts: a pseudonym that the operator hands out. The journal keeps it for ever, so it is never a person's name.
using SubjectName = Name<SubjectKind_>;
using SiteName = Name<SiteKind_>;
using NodeName = Name<NodeKind_>;  ///< Unique within its site.
using ProgrammeName = Name<ProgrammeKind_>;

struct JobKind_ { static constexpr std::string_view prefix = "job"; };
struct TokenKind_ { static constexpr std::string_view prefix = "tok"; };
struct VoucherKind_ { static constexpr std::string_view prefix = "vch"; };

using JobId = Id<JobKind_>;
using TokenId = Id<TokenKind_>;
using VoucherId = Id<VoucherKind_>;

}  // namespace weir

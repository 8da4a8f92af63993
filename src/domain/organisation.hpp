// domain/organisation.hpp: who takes part: organisations, their projects, members and tokens.
#pragma once

#include "base/quantity.hpp"
#include "base/sha256.hpp"
#include "base/time.hpp"
#include "domain/names.hpp"

#include <boost/describe.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir {

BOOST_DEFINE_ENUM_CLASS(OrganisationKind, enterprise, startup, university, research_institute, government, person)
BOOST_DEFINE_ENUM_CLASS(SizeClass, micro, small, medium, large)

/// A legal entity or a person. For a person `title`, `credit_code` and `registered_in` stay empty: the journal
/// holds no personal datum.
struct Organisation {
    OrganisationName name;
    OrganisationKind kind = OrganisationKind::enterprise;
    std::string title;                        ///< Legal name, at most 200 bytes.
    std::string credit_code;                  ///< Unified social credit code, 18 characters, or empty.
    SizeClass size_class = SizeClass::small;
    std::string registered_in;                ///< Region path of registration, `cn/sichuan/chengdu`.
    std::string control_group;                ///< Name shared by firms under one control, or empty.
    bool operator==(const Organisation&) const = default;
};
BOOST_DESCRIBE_STRUCT(Organisation, (), (name, kind, title, credit_code, size_class, registered_in, control_group))

/// The most milli-cards of one accelerator model that a project may hold at once.
struct ModelQuota {
    std::string model;  ///< A model of the catalogue.
    MilliCards milli_cards;
    bool operator==(const ModelQuota&) const = default;
};
BOOST_DESCRIBE_STRUCT(ModelQuota, (), (model, milli_cards))

/// Where jobs, quota and money of one group of people meet.
struct Project {
    ProjectName name;
    OrganisationName organisation;
    std::vector<ModelQuota> quota;    ///< No line for a model: no limit.
    std::vector<SiteName> trusted;    ///< Sites this project trusts; empty: all of the network.
    std::uint32_t live_jobs_max = 200'000;
    bool operator==(const Project&) const = default;
};
BOOST_DESCRIBE_STRUCT(Project, (), (name, organisation, quota, trusted, live_jobs_max))

/// Roles of DESIGN section 4. The first three and provider are held in a project, the others in the whole network. A provider sees the
/// project's organisation and what its sites earn, and none of its jobs.
BOOST_DEFINE_ENUM_CLASS(Role, owner, member, viewer, operator_, approver, finance, auditor, provider)

/// What a token may be used for; a token never allows more than its subject's roles do.
BOOST_DEFINE_ENUM_CLASS(Scope, read, write, agent, admin)

/// A bearer token as the core knows it: only its hash.
struct Token {
    TokenId id;
    SubjectName subject;
    Digest hash;                       ///< SHA-256 of the secret, which has 256 bits of chance of its own.
    std::vector<Scope> scopes;
    std::optional<SiteName> site;      ///< Set for an agent's token: good for that site alone.
    Instant issued_at;
    std::optional<Instant> expires_at;
    bool operator==(const Token&) const = default;
};
BOOST_DESCRIBE_STRUCT(Token, (), (id, subject, hash, scopes, site, issued_at, expires_at))

}  // namespace weir

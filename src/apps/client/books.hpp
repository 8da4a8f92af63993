// apps/client/books.hpp: the commands that show the books line by line: accounts, statements, what a site has earned.
#pragma once

#include "apps/client/commands.hpp"

namespace weir::cli {

struct AccountsAsk : ListAsk {
    std::string owner;
};
[[nodiscard]] Done list_accounts(Session& session, const AccountsAsk& ask);
struct StatementAsk : ListAsk {
    std::string of;  ///< An account's id, or a site's name.
};
[[nodiscard]] Done show_account_statement(Session& session, const StatementAsk& ask);
[[nodiscard]] Done show_site_statement(Session& session, const StatementAsk& ask);

}  // namespace weir::cli

#include "domain/limits.hpp"

#include "codec/text.hpp"
#include "domain/tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

namespace weir {
namespace {

// Amounts in the units that jobs and nodes are written in, and exact: whoever is refused compares the numbers.
std::string shown(MilliCards cards) { return codec::format_decimal_short(cards.value, 3) + " cards"; }
std::string shown(MilliCpus cpus) { return codec::format_decimal_short(cpus.value, 3) + " cpus"; }
std::string shown(MiB memory) {
    return memory.value % 1024 == 0 ? fmt::format("{} GiB", memory.value / 1024) : fmt::format("{} MiB", memory.value);
}
std::string shown(Fen fen) { return codec::format_decimal(fen.value, 2) + " yuan"; }
std::string shown(Seconds time) {
    const auto ns = checked_mul(time.value, seconds(1).ns);
    return ns ? codec::format_span({*ns}) : fmt::format("{}s", time.value);
}

/// Collects flaws; each check reads as a sentence.
class Checker {
public:
    template <class Amount>
    void within(std::string_view path, Amount value, Amount low, Amount high) {
        if (value < low || value > high) add(path, fmt::format("is {} and must be from {} to {}", shown(value), shown(low), shown(high)));
    }
    void range(std::string_view path, std::int64_t value, std::int64_t low, std::int64_t high, std::string_view unit = "") {
        if (value < low || value > high) {
            add(path, fmt::format("is {}{} and must be from {} to {}", value, unit, low, high));
        }
    }
    void size(std::string_view path, std::size_t value, std::size_t most, std::string_view what) {
        if (value > most) add(path, fmt::format("has {} {}, at most {} are taken", value, what, most));
    }
    void name(std::string_view path, std::string_view text) {
        if (!is_name(text))
            add(path, fmt::format("is '{}' and must be 1 to 63 of a-z, 0-9, '-' and '.', beginning and ending with a letter or digit",
                                  clip(text)));
    }
    void region(std::string_view path, std::string_view text) {
        if (!text.empty() && !is_region(text))
            add(path, fmt::format("is '{}' and must be a path of names such as cn/sichuan/chengdu", clip(text)));
    }
    void address(std::string_view path, std::string_view text) {
        size(path, text.size(), 255, "bytes");
        const auto is_part = [](unsigned char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   std::string_view{".-_:%"}.find(static_cast<char>(c)) != std::string_view::npos;
        };
        if (!std::ranges::all_of(text, is_part))
            add(path, "is no name and no number of a host: it has other characters than letters, digits, '.', '-', '_', ':' and '%'");
    }
    void model(std::string_view path, const std::string& text, const Catalogue& catalogue) {
        if (catalogue.contains(text)) return;
        add(path, fmt::format("names the model '{}', which the catalogue does not have{}; list the models with: weir catalog", clip(text),
                              nearest(text, catalogue)));
    }
    void text(std::string_view path, std::string_view value, std::size_t most) {
        size(path, value.size(), most, "bytes");
        if (value.find('\0') != std::string_view::npos) add(path, "holds a zero byte, which no program can be given");
    }
    void clause(std::string_view path, std::string_view text) {
        if (text.empty()) add(path, "is empty; give the clause, which whoever is refused by it is told");
        this->text(path, text, limits::title_bytes_max);
    }
    void add(std::string_view path, std::string message) {
        if (!full()) flaws_.push_back({std::string{path}, std::move(message)});
    }
    /// Enough to correct; what is far beyond every bound is not looked at further.
    [[nodiscard]] bool full() const { return flaws_.size() >= flaws_max; }
    std::vector<Flaw> take() { return std::move(flaws_); }

private:
    static constexpr std::size_t flaws_max = 20;
    static std::string clip(std::string_view text) { return std::string{text.substr(0, 80)}; }
    static std::string nearest(const std::string& text, const Catalogue& catalogue) {
        std::string wanted = text;
        std::ranges::transform(wanted, wanted.begin(), [](unsigned char c) { return std::toupper(c); });
        for (const auto& [model, entry] : catalogue) {
            std::string have = model;
            std::ranges::transform(have, have.begin(), [](unsigned char c) { return std::toupper(c); });
            if (have == wanted || have.starts_with(wanted)) return fmt::format(" (did you mean {}?)", model);
        }
        return "";
    }
    std::vector<Flaw> flaws_;
};

template <class T>
void check_allowed(Checker& check, const std::string& path, const Allowed<T>& allowed) {
    check.size(path, allowed.any_of.size(), limits::list_max, "lines");
    if (!allowed.any_of.empty()) check.clause(path + ".clause", allowed.clause);
}

constexpr Seconds longest_duration{limits::duration_s_max};

void check_accelerators(Checker& check, const ResourceAsk& ask, const Catalogue& catalogue) {
    if (ask.accelerators.empty()) check.add("resources.accelerators", "is empty; name at least one model, such as H800:8 or cpu:1");
    check.size("resources.accelerators", ask.accelerators.size(), limits::alternatives_max, "alternatives");
    std::set<std::string> seen;
    for (std::size_t i = 0; i < ask.accelerators.size() && !check.full(); ++i) {
        const auto& one = ask.accelerators[i];
        const auto path = fmt::format("resources.accelerators[{}]", i);
        check.model(path, one.model, catalogue);
        const auto milli = one.per_node.value;
        check.within(path + ".count", one.per_node, MilliCards{1}, MilliCards{limits::cards_per_node_max * 1000});
        if (milli > 1000 && milli % 1000 != 0) {
            check.add(path + ".count",
                      fmt::format("asks for {}.{:03} cards; more than one card must be a whole number, ask for {} or {}", milli / 1000,
                                  milli % 1000, milli / 1000, milli / 1000 + 1));
        }
        check.text(path + ".run", one.run, limits::script_bytes_max);
        if (!seen.insert(one.model).second) check.add(path, fmt::format("names {} a second time; each model may be named once", one.model));
    }
}

void check_envs(Checker& check, const std::map<std::string, std::string>& envs) {
    check.size("envs", envs.size(), limits::envs_max, "variables");
    std::size_t total = 0;
    for (const auto& [key, value] : envs) {
        if (check.full()) return;
        total += key.size() + value.size();
        const auto path = fmt::format("envs.{}", key.substr(0, 80));
        if (!task_limits::is_variable_name(key)) {
            check.add(path, "is not a name of an environment variable: letters, digits and '_', not beginning with a digit, 128 at most");
        }
        if (key.starts_with("WEIR_")) {
            check.add(path, "begins with WEIR_, which is kept for the network's own variables; choose another name");
        } else if (task_limits::is_reserved_variable(key)) {
            check.add(path, "is set by the network itself for each process; leave it out, or choose another name");
        }
        check.text(path, value, limits::env_bytes_max);
    }
    check.size("envs", total, limits::envs_bytes_max, "bytes in all");
}

/// A task is given setup and run as one argument.
void check_scripts(Checker& check, const JobSpec& spec) {
    check.text("setup", spec.setup, limits::script_bytes_max);
    check.text("run", spec.run, limits::script_bytes_max);
    auto longest = spec.run.size();
    for (const auto& ask : spec.resources.accelerators) longest = std::max(longest, ask.run.size());
    check.size("setup", spec.setup.size() + longest, limits::scripts_bytes_max, "bytes together with run");
}

void check_retry(Checker& check, const RetryAsk& retry) {
    check.range("retry.max_restarts", retry.max_restarts, 0, limits::restarts_max);
    check.range("retry.max_restarts_on_site_fault", retry.max_restarts_on_site_fault, 0, limits::restarts_max);
    check.within("retry.backoff", retry.backoff, Seconds{0}, Seconds{3600});
    check.size("retry.exit_codes", retry.exit_codes.size(), limits::list_max, "codes");
    for (std::size_t i = 0; i < retry.exit_codes.size() && !check.full(); ++i) check.range("retry.exit_codes", retry.exit_codes[i], 1, 255);
}

}  // namespace

std::size_t bytes_of(const JobSpec& spec) {
    std::size_t bytes = spec.setup.size() + spec.run.size();
    for (const auto& ask : spec.resources.accelerators) bytes += ask.run.size();
    for (const auto& [key, value] : spec.envs) bytes += key.size() + value.size();
    return bytes;
}

std::vector<Flaw> flaws(const JobSpec& spec, const Catalogue& catalogue) {
    Checker check;
    check.name("name", spec.name);
    check_accelerators(check, spec.resources, catalogue);
    check.within("resources.cpus", spec.resources.cpus, MilliCpus{0}, MilliCpus{limits::cpus_milli_max});
    check.within("resources.memory", spec.resources.memory, MiB{1}, MiB{limits::memory_mib_max});
    check.within("resources.accelerator_memory", spec.resources.accelerator_memory, MiB{0}, MiB{limits::memory_mib_max});
    check.range("num_nodes", spec.num_nodes, 1, limits::nodes_max);
    check.range("processes_per_node", spec.processes_per_node, 1, limits::processes_per_node_max);
    check_scripts(check, spec);
    const bool every_model_has_a_command =
        !spec.resources.accelerators.empty() &&
        std::ranges::all_of(spec.resources.accelerators, [](const auto& ask) { return !ask.run.empty(); });
    if (spec.run.empty() && !every_model_has_a_command) check.add("run", "is empty; give the command that the job is to run");
    check_envs(check, spec.envs);
    check.region("residency", spec.residency);
    check.size("trust", spec.trust.size(), limits::list_max, "sites");
    check.within("checkpoint.interval", spec.checkpoint.interval, Seconds{0}, longest_duration);
    check_retry(check, spec.retry);
    check.size("after", spec.after.size(), limits::list_max, "jobs");
    check.within("max_duration", spec.max_duration, Seconds{1}, longest_duration);
    if (spec.estimated_duration) {
        check.within("estimated_duration", *spec.estimated_duration, Seconds{1}, longest_duration);
        if (*spec.estimated_duration > spec.max_duration) {
            check.add("estimated_duration",
                      fmt::format("is {}, longer than max_duration, which is {}; raise max_duration or lower the estimate",
                                  shown(*spec.estimated_duration), shown(spec.max_duration)));
        }
    }
    if (spec.workdir) {
        check.text("workdir", *spec.workdir, limits::tree_path_bytes_max);
        if (spec.workdir->empty()) check.add("workdir", "is empty; name a folder, or leave it out");
    }
    if (spec.outputs) {
        if (spec.outputs->keep) check.within("outputs.keep", *spec.outputs->keep, Seconds{0}, Seconds{limits::retention_s_max});
        if (spec.outputs->retention) {
            check.within("outputs.retention", *spec.outputs->retention, Seconds{1}, Seconds{limits::retention_s_max});
            if (spec.outputs->keep) check.add("outputs.retention", "is the first name of keep; give one of them");
        }
    }
    if (spec.budget) check.within("budget", spec.budget->fen, Fen{1}, Fen{limits::fen_max});
    check.size("funding", spec.funding.size(), limits::funding_sources_max, "sources");
    std::set<std::optional<VoucherId>> sources;
    for (std::size_t i = 0; i < spec.funding.size() && !check.full(); ++i) {
        if (!sources.insert(spec.funding[i].voucher).second)
            check.add(fmt::format("funding[{}]", i), "names a source a second time; each may be named once");
    }
    return check.take();
}

std::vector<Flaw> flaws(const Organisation& organisation) {
    Checker check;
    check.name("name", organisation.name.value);
    check.text("title", organisation.title, limits::title_bytes_max);
    check.region("registered_in", organisation.registered_in);
    if (!organisation.control_group.empty()) check.name("control_group", organisation.control_group);
    if (!organisation.credit_code.empty()) {
        const auto fine = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
        if (organisation.credit_code.size() != 18 || !std::ranges::all_of(organisation.credit_code, fine)) {
            check.add("credit_code", "must be the 18 digits and capital letters of a unified social credit code");
        }
    }
    if (organisation.kind == OrganisationKind::person &&
        !(organisation.title.empty() && organisation.credit_code.empty() && organisation.registered_in.empty())) {
        check.add("kind", "is person, and the journal holds no personal datum: leave title, credit_code and registered_in empty");
    }
    return check.take();
}

std::vector<Flaw> flaws(const Project& project) {
    Checker check;
    check.name("name", project.name.value);
    check.name("organisation", project.organisation.value);
    check.size("quota", project.quota.size(), limits::quota_lines_max, "lines");
    std::set<std::string_view> models;
    for (std::size_t i = 0; i < project.quota.size() && !check.full(); ++i) {
        check.range(fmt::format("quota[{}].milli_cards", i), project.quota[i].milli_cards.value, 0, limits::quota_milli_max,
                    " milli-cards");
        if (!models.insert(project.quota[i].model).second)
            check.add(fmt::format("quota[{}].model", i), fmt::format("names {} a second time", project.quota[i].model));
    }
    check.size("trusted", project.trusted.size(), limits::list_max, "sites");
    check.range("live_jobs_max", project.live_jobs_max, 1, static_cast<std::int64_t>(limits::live_jobs_per_project_max));
    return check.take();
}

std::vector<Flaw> flaws(const Site& site, const Catalogue& catalogue) {
    Checker check;
    check.name("name", site.name.value);
    check.name("owner", site.owner.value);
    if (site.region.empty()) check.add("region", "is empty; give the site's place in the region tree, such as cn/sichuan/chengdu");
    check.region("region", site.region);
    check.size("tariff", site.tariff.size(), limits::list_max, "lines");
    std::set<std::string> priced;
    for (std::size_t i = 0; i < site.tariff.size() && !check.full(); ++i) {
        const auto path = fmt::format("tariff[{}]", i);
        check.model(path + ".model", site.tariff[i].model, catalogue);
        check.range(path + ".fen_per_card_hour", site.tariff[i].fen_per_card_hour.value, 0, 100'000'000, " fen");
        if (!priced.insert(site.tariff[i].model).second)
            check.add(path + ".model", fmt::format("prices {} a second time", site.tariff[i].model));
    }
    check.size("links", site.links.size(), limits::list_max, "links");
    for (std::size_t i = 0; i < site.links.size() && !check.full(); ++i) {
        const auto path = fmt::format("links[{}]", i);
        check.name(path + ".to", site.links[i].to.value);
        check.range(path + ".megabit_per_s", site.links[i].megabit_per_s, 1, 100'000'000);
        check.range(path + ".latency_us", site.links[i].latency_us, 0, 10'000'000);
        check.range(path + ".fen_per_gib", site.links[i].fen_per_gib.value, 0, 1'000'000);
    }
    check.range("pue_milli", site.pue_milli, 1000, 5000);
    return check.take();
}

std::vector<Flaw> flaws(const Accelerator& accelerator) {
    Checker check;
    const auto is_word = [](const std::string& text) {
        return !text.empty() && text.size() <= limits::model_bytes_max &&
               text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == std::string::npos;
    };
    const auto word = [&](const char* path, const std::string& text) {
        if (!is_word(text))
            check.add(path, fmt::format("is '{}' and must be 1 to {} of letters, digits, '-', '.' and '_'", text.substr(0, 64),
                                        limits::model_bytes_max));
    };
    word("model", accelerator.model);
    word("stack", accelerator.stack);
    if (accelerator.vendor.empty()) check.add("vendor", "is empty; name who makes it");
    check.size("vendor", accelerator.vendor.size(), limits::title_bytes_max, "bytes");
    check.size("interconnect", accelerator.interconnect.size(), limits::title_bytes_max, "bytes");
    const auto figure = [&](const std::string& path, const std::optional<Figure>& given) {
        if (!given) return;
        check.range(path + ".value", given->value, 1, limits::figure_max);
        if (given->source.empty()) check.add(path + ".source", "is empty; say where the figure was published");
        check.size(path + ".source", given->source.size(), 2 * limits::title_bytes_max, "bytes");
    };
    figure("memory_mib", accelerator.memory_mib);
    figure("fp64_gflops", accelerator.fp64_gflops);
    figure("fp32_gflops", accelerator.fp32_gflops);
    figure("fp16_gflops", accelerator.fp16_gflops);
    figure("int8_gops", accelerator.int8_gops);
    figure("tdp_w", accelerator.tdp_w);
    return check.take();
}

std::vector<Flaw> flaws(const Node& node) {
    Checker check;
    check.name("name", node.name.value);
    check.size("cards", node.cards.size(), 16, "card groups");
    std::set<std::string_view> models;
    for (std::size_t i = 0; i < node.cards.size() && !check.full(); ++i) {
        const auto path = fmt::format("cards[{}]", i);
        check.range(path + ".count", node.cards[i].count, 1, limits::cards_per_node_max);
        check.within(path + ".memory", node.cards[i].memory, MiB{0}, MiB{limits::memory_mib_max});
        check.size(path + ".model", node.cards[i].model.size(), 64, "bytes");
        if (!models.insert(node.cards[i].model).second) {
            check.add(path + ".model",
                      fmt::format("names {} a second time; the cards of one model in a node are one group", node.cards[i].model));
        }
    }
    check.within("cpus", node.cpus, MilliCpus{0}, MilliCpus{limits::cpus_milli_max});
    check.within("memory", node.memory, MiB{0}, MiB{limits::memory_mib_max});
    check.size("position", node.position.size(), 8, "levels");
    for (const auto& level : node.position) check.name("position", level);
    check.address("address", node.address);
    return check.take();
}

std::vector<Flaw> flaws(const Programme& programme) {
    Checker check;
    check.name("name", programme.name.value);
    check.text("title", programme.title, limits::title_bytes_max);
    check.text("legal_ref", programme.legal_ref, limits::title_bytes_max);
    check.name("funder", programme.funder);
    check.range("fiscal_year", programme.fiscal_year, 2000, 2200);
    check.range("budget", programme.budget.value, 0, limits::fen_max, " fen");
    check.range("entity_cap", programme.entity_cap.value, 0, limits::fen_max, " fen");
    check.range("validity_days", programme.validity_days, 1, 3660);
    check.range("version", programme.version, 1, UINT32_MAX);
    if (programme.effective_to <= programme.effective_from) {
        check.add("effective_to", fmt::format("is {}, not after effective_from, which is {}", format_utc(programme.effective_to),
                                              format_utc(programme.effective_from)));
    }
    if (programme.ratio.empty()) check.add("ratio", "is empty; say what part of a charge the programme pays");
    check.size("ratio", programme.ratio.size(), limits::list_max, "lines");
    for (std::size_t i = 0; i < programme.ratio.size() && !check.full(); ++i) {
        check.range(fmt::format("ratio[{}].per_mille", i), programme.ratio[i].per_mille, 0, 1000);
        check.clause(fmt::format("ratio[{}].clause", i), programme.ratio[i].clause);
    }
    check_allowed(check, "kinds", programme.kinds);
    check_allowed(check, "registered_in", programme.registered_in);
    check_allowed(check, "sites", programme.sites);
    check_allowed(check, "tiers", programme.tiers);
    check_allowed(check, "models", programme.models);
    for (const auto& region : programme.registered_in.any_of) check.region("registered_in", region);
    return check.take();
}

bool lies_within(std::string_view region, std::string_view within) {
    return within.empty() || region == within ||
           (region.starts_with(within) && region.size() > within.size() && region[within.size()] == '/');
}

bool is_region(std::string_view text) {
    std::size_t parts = 0;
    while (true) {
        const auto slash = text.find('/');
        if (!is_name(text.substr(0, slash)) || ++parts > 8) return false;
        if (slash == std::string_view::npos) return true;
        text.remove_prefix(slash + 1);
    }
}

}  // namespace weir

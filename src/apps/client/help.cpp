#include "apps/client/explain.hpp"

#include "codec/text.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace weir::cli {
namespace {

bool every(const CLI::App*) { return true; }

struct Topic {
    std::string_view name;
    std::string_view about;
    std::string_view text;
};

constexpr std::array topics{
    Topic{"start", "from a token to the first result", R"(From a token to the first result.

  1. weir login                       asks for server and token, and stores them
  2. weir whoami                      which projects you are in
  3. weir site list                   where work can run; weir catalog: on what
  4. write hello.yaml:
         name: hello
         resources: {accelerators: [cpu:1]}
         run: echo "hello from rank $RANK of $WORLD_SIZE"
         max_duration: 1m
  5. weir submit hello.yaml --dry-run where, when and for how much
  6. weir submit hello.yaml --wait    submits it and waits for its end
  7. weir job logs JOB                what it printed; -f follows it
  8. weir job bill JOB                what it cost, line by line

Six or more characters of the beginning or end of a job's id name it everywhere.
Next: weir help job-file, weir help money, weir help waiting.
)"},
    Topic{"job-file", "what stands in a job's file",
          R"(What stands in a job's file. Names that Slurm and SkyPilot users know mean the same here.

  name: train
  type: training                      # or batch, inference, interactive
  resources:
    accelerators: [H800:8, A100:8]    # alternatives, the preferred first; a count is of each node
    cpus: 32                          # on each node
    memory: 256GiB
  num_nodes: 2                        # all together or not at all
  processes_per_node: 8               # each gets RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT
  setup: ./prepare.sh                 # once on each node, before run
  run: python3 train.py
  envs: {EPOCHS: "10"}
  checkpoint: {protocol: signal, interval: 10m}
  retry: {max_restarts: 2, backoff: 30s}
  max_duration: 8h                    # then it is stopped; what may cost is held of this
  estimated_duration: 5h              # what estimates of starts reckon with
  funding: [vch-..., prepaid]         # who pays, in this order; without it the prepaid balance
  trust: [pidu-core]                  # only these sites
  residency: cn/sichuan               # only sites there

A mistake is told with its line and column before anything is sent.
)"},
    Topic{"waiting", "why a job waits, and when it will start", R"(Why a job waits, and when it will start.

  weir job why JOB       every reason, with both numbers, and what would change it
  weir job eta JOB       when it should begin and end: the scheduler's own plans, played on
  weir quota             cards in use, and the most your project may have at once
  weir top               the whole network on one screen

An estimate is no promise: jobs that end early let yours begin earlier, and later ones of a higher priority push it back. Give an
estimated_duration in your files; without it every estimate reckons with max_duration.
)"},
    Topic{"money", "vouchers, holds and bills", R"(Vouchers, holds and bills.

  weir voucher list                   what you were awarded, and what is left
  weir programme show NAME            what a programme pays, for whom and where, clause by clause
  weir submit FILE --dry-run          what would be held, and what it should cost at each site
  weir submit FILE --funding VOUCHER --funding prepaid
  weir job bill JOB                   line by line: who pays for what, also for what was lost

At submission the most that a job can cost is held; at its end what it used is paid and the rest goes back. A max_duration near the
truth leaves you more to submit with. Nobody pays for what a site or the network lost, except who caused it.
)"},
    Topic{"checkpoints", "going on where a job was", R"(Going on where a job was.

A program that publishes checkpoints goes on from the newest after the loss of a site, a restart or a move:
  * write the files into a folder .tmp-... in $WEIR_CHECKPOINT_DIR, then rename it to step-1, step-2, ...
  * at the start, $WEIR_RESUME_DIR is the folder of the newest good one, where there is one
  * protocol: self      it publishes by itself
    protocol: file      it looks for the file REQUEST in $WEIR_CHECKPOINT_DIR
    protocol: signal    it also gets SIGUSR1
Only what node rank 0 publishes is stored; every rank finds it again.
)"},
    Topic{"moves", "letting a running job go on elsewhere", R"(Letting a running job go on elsewhere.

  weir job move JOB --to SITE         it runs on until a place is held there and its checkpoint lies there
  weir job why JOB                    how far it has come
  weir job move JOB --call-off        until it was told to stop
  weir job show JOB                   what each move cost

For those who run a site:
  weir site drain SITE --deadline 2h  its jobs go on elsewhere, and nothing new comes
  weir site stop SITE --now           an emergency: all work ends at once
  weir site resume SITE
)"},
    Topic{"operating", "objects of a network, from files", R"(Objects of a network, from files.

  weir apply -f network.yaml --dry-run     what would change
  weir apply -f network.yaml               shows it, asks, and applies it

      organisations: [{name: sichuan-lab, kind: university}]
      sites: [{name: pidu-core, owner: pidu-supercomputing, region: cn/sichuan/chengdu/pidu, tariff: [...]}]
      projects: [{name: vision-lab, organisation: sichuan-lab, quota: [{model: A100, milli_cards: 4000}]}]
      members: [{project: vision-lab, subject: ann, roles: [owner]}]
      roles: [{subject: wen, roles: [operator]}]
      programmes: [...]

What the file does not name is left alone; what it names is made as it stands there. weir audit log: who changed what, and when.
)"},
};

std::string list() {
    std::string out = "Topics:\n";
    for (const auto& topic : topics) out += fmt::format("  weir help {:<14} {}\n", topic.name, topic.about);
    return out + "Of a command: weir help COMMAND, or weir COMMAND --help. All commands: weir --help.\n";
}

}  // namespace

Done print_help(Console& console, const CLI::App& app, const HelpAsk& ask) {
    if (ask.about.empty()) {
        console.out << list();
        return {};
    }
    const auto topic = std::ranges::find(topics, ask.about.front(), &Topic::name);
    if (ask.about.size() == 1 && topic != topics.end()) {
        console.out << topic->text;
        return {};
    }
    const auto* at = &app;
    for (const auto& word : ask.about) {
        const auto below = at->get_subcommands(every);
        const auto next = std::ranges::find(below, word, [](const CLI::App* one) { return one->get_name(); });
        if (next == below.end()) {
            std::vector<std::string_view> names;
            for (const auto& one : topics) names.push_back(one.name);
            std::vector<std::string> commands;
            for (const auto* one : below) commands.push_back(one->get_name());
            names.insert(names.end(), commands.begin(), commands.end());
            const auto meant = codec::nearest(word, names);
            return fail(usage(fmt::format("there is no help about {}{}; see: weir help", codec::show(word),
                                          meant ? fmt::format(", did you mean {}", *meant) : "")));
        }
        at = *next;
    }
    console.out << at->help();
    return {};
}

}  // namespace weir::cli

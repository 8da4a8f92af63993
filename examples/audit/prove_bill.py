#!/usr/bin/env python3
"""Proves the bill of one job from the journal, without a line of the network's own code.

usage: weir watch --since 0 --job JOB --json | prove_bill.py
       weir audit log --limit 1000000 --json | prove_bill.py JOB

Reads journal entries: lines of a watch, or pages of the audit log, which hold the ledger's transfers, too. It adds the metered
card-seconds of each start of the job, prices them with the price of its placement, and compares each line of the bill, the sum that
its sources paid, and what was moved to the sites' owners. Exit status: 0 the bill is proved, 1 it is not, 2 there is nothing to prove.

Amounts are fen, cards and card-seconds thousandths; a charge is rounded half up to the fen, line by line.
"""
import collections
import json
import sys

PLACED, METERED, FINISHED, POSTED = 41, 43, 47, 33  # src/control/core/events.hpp; the numbers are never reused


def entries(lines):
    """Every entry of the input, in the order of the journal."""
    found = []
    for line in lines:
        if line.strip():
            value = json.loads(line)
            found += value["items"] if "items" in value else [value]
    return sorted(found, key=lambda entry: entry["revision"])


def charge(used, fen_per_card_hour):
    """Fen for thousandths of card-seconds, half a fen up."""
    return (2 * used * fen_per_card_hour + 3_600_000) // 7_200_000


def prove(found, job):
    """Prints each comparison; whether all of them hold, None where there is nothing to compare."""
    metered, price, bill, moved = collections.Counter(), {}, None, []
    for entry in found:
        event = entry["event"]
        if entry["type"] == POSTED:
            moved += [one for one in event["postings"] if one.get("cause") == job.removeprefix("job-")]
        elif event.get("job") != job:
            continue
        elif entry["type"] == PLACED:
            price[event["generation"]] = event["placement"]["fen_per_card_hour"]
        elif entry["type"] == METERED:
            metered[event["generation"]] += event["used"]
        elif entry["type"] == FINISHED:
            bill = event
    if bill is None:
        print("prove_bill: the input has no end of this job; give all of its entries, and its id where they are the whole journal's",
              file=sys.stderr)
        return None

    good = True

    def compare(what, said, reckoned):
        nonlocal good
        good = good and said == reckoned
        print(f"{'ok  ' if said == reckoned else 'FAIL'}  {what}: the journal's meters make {reckoned}, the bill says {said}")

    billed = collections.Counter()
    for line in bill["bill"]:
        billed[line["generation"]] += line["used"]
        owed = 0 if line["payer"] == "provider" else charge(line["used"], price[line["generation"]])
        compare(f"start {line['generation']} at {line['site']}, payer {line['payer']}, fen", line["amount"], owed)
    for generation in sorted(metered | billed):
        compare(f"start {generation}, thousandths of card-seconds", billed[generation], metered[generation])
    tenant = sum(line["amount"] for line in bill["bill"] if line["payer"] == "tenant")
    compare("what the sources paid, fen", sum(part["captured"] for part in bill["paid"]), tenant)
    if moved:
        owners = sum(one.get("amt", 0) for one in moved if one["code"] in ("charge", "pay_subsidy"))
        compare("what went to the owners of the sites, fen", owners, sum(line["amount"] for line in bill["bill"]))
    return good


def main():
    try:
        found = entries(sys.stdin)
    except (ValueError, KeyError, TypeError) as wrong:
        print(f"prove_bill: the input is no list of journal entries ({wrong}); give it what weir audit log --json prints", file=sys.stderr)
        return 2
    jobs = {entry["event"]["job"] for entry in found if entry["type"] == FINISHED}
    job = sys.argv[1] if len(sys.argv) > 1 else next(iter(jobs), None)
    if job is None or (len(jobs) > 1 and len(sys.argv) < 2):
        print(f"prove_bill: the input tells the end of {len(jobs)} jobs; name one of them", file=sys.stderr)
        return 2
    return {True: 0, False: 1, None: 2}[prove(found, job)]


if __name__ == "__main__":
    sys.exit(main())

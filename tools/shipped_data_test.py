#!/usr/bin/python3
"""Goal: the data that we ship holds what it promises: each figure of the catalogue has a source, the examples fit together.

Method: plain checks over the YAML files. Whether a file has the exact form that the programs read is tested where they read it.
"""
import pathlib
import re
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIGURES = {"memory_mib": (1024, 1 << 20), "fp64_gflops": (100, 10**6), "fp32_gflops": (1000, 10**6), "fp16_gflops": (10_000, 10**7),
           "int8_gops": (10_000, 10**7), "tdp_w": (10, 5000)}
WORDS = {"model", "vendor", "stack", "domestic", "interconnect"}
STACKS = {"cuda", "cann", "neuware", "dtk", "cpu"}
DOMESTIC = {"Huawei", "Cambricon", "Hygon"}
PROMISED = {"H800", "A800", "H100", "H200", "H20", "A100", "V100", "L20", "RTX4090", "Ascend910B1", "Ascend910B2", "Ascend910B3",
            "Ascend910B4", "Ascend310P", "MLU590", "DCU-Z100", "DCU-K100", "cpu"}
SOURCE = re.compile(r"(vendor|reported): \S.*, (19|20)\d\d")


def load(path):
    return yaml.safe_load((ROOT / path).read_text())


def folder(path):
    return {file.name: load(file.relative_to(ROOT)) for file in sorted((ROOT / path).glob("*.yaml"))}


def asked(job):
    """Models that a job can run on, with the cards per node."""
    for one in job["resources"]["accelerators"]:
        if isinstance(one, str):
            model, _, count = one.partition(":")
            yield model, float(count or 1)
        else:
            yield one["model"], float(one["count"])


class Catalogue(unittest.TestCase):
    def setUp(self):
        self.entries = load("catalogue/accelerators.yaml")["accelerators"]

    def test_the_promised_models_are_there_once(self):
        models = [entry["model"] for entry in self.entries]
        self.assertEqual(len(models), len(set(models)))
        self.assertEqual(PROMISED - set(models), set())

    def test_every_figure_is_a_whole_number_with_a_source(self):
        for entry in self.entries:
            for name in entry.keys() - WORDS:
                with self.subTest(model=entry["model"], figure=name):
                    low, high = FIGURES[name]
                    self.assertEqual(entry[name].keys(), {"value", "source"})
                    self.assertIs(type(entry[name]["value"]), int)
                    self.assertTrue(low <= entry[name]["value"] <= high, entry[name]["value"])
                    self.assertRegex(entry[name]["source"], f"^{SOURCE.pattern}$")

    def test_words(self):
        for entry in self.entries:
            with self.subTest(entry["model"]):
                self.assertLessEqual(WORDS, entry.keys())
                self.assertIn(entry["stack"], STACKS)
                self.assertIs(entry["domestic"], entry["vendor"] in DOMESTIC)
                if "GB/s" in entry["interconnect"]:
                    self.assertRegex(entry["interconnect"], SOURCE.pattern, "a bandwidth is a figure too")

    def test_narrower_numbers_are_not_slower(self):
        for entry in self.entries:
            rates = [entry[name]["value"] for name in ("fp64_gflops", "fp32_gflops", "fp16_gflops", "int8_gops") if name in entry]
            self.assertEqual(rates, sorted(rates), entry["model"])


class Examples(unittest.TestCase):
    def setUp(self):
        self.models = {entry["model"] for entry in load("catalogue/accelerators.yaml")["accelerators"]}
        files = folder("examples/sites")
        self.sites = {data["name"]: data for name, data in files.items() if not name.endswith(".nodes.yaml")}
        self.nodes = {name.removesuffix(".nodes.yaml"): data["nodes"] for name, data in files.items() if name.endswith(".nodes.yaml")}
        self.programme = load("examples/programmes/demo-2026.yaml")

    def test_three_sites_differ_and_know_each_other(self):
        self.assertEqual(len(self.sites), 3)
        self.assertEqual(self.nodes.keys(), self.sites.keys())
        for field in ("tier", "region", "pue_milli", "tariff"):
            self.assertEqual(len({str(site[field]) for site in self.sites.values()}), 3, field)
        for name, site in self.sites.items():
            self.assertEqual({link["to"] for link in site["links"]}, self.sites.keys() - {name})
            for link in site["links"]:
                back = next(other for other in self.sites[link["to"]]["links"] if other["to"] == name)
                self.assertEqual({**link, "to": ""}, {**back, "to": ""}, "a way is the same in both directions")

    def test_every_card_is_in_the_catalogue_has_a_price_and_says_that_it_is_emulated(self):
        for name, nodes in self.nodes.items():
            priced = {line["model"] for line in self.sites[name]["tariff"]}
            for card in (card for node in nodes for card in node["cards"]):
                self.assertIn(card["model"], self.models & priced)
                self.assertIs(card["emulated"], True)

    def test_the_programme_awards_whenever_somebody_runs_the_demonstration(self):
        self.assertLess(self.programme["effective_from"], "2021")
        self.assertGreater(self.programme["effective_to"], "2100")

    def test_every_job_fits_some_site(self):
        for file, job in folder("examples/jobs").items():
            self.assertTrue(any(self.fits(job, site) for site in self.sites), file)

    def fits(self, job, site):
        return any(sum(any(card["model"] == model and card["count"] >= count for card in node["cards"]) for node in self.nodes[site])
                   >= job.get("num_nodes", 1) for model, count in asked(job))

    def test_the_training_can_lose_a_site_and_keep_its_voucher(self):
        job = load("examples/jobs/digits.yaml")
        paid = {name for name, site in self.sites.items()
                if name in self.programme["sites"]["any_of"] and site["tier"] in self.programme["tiers"]["any_of"]}
        self.assertGreaterEqual(sum(self.fits(job, site) for site in paid), 2)
        self.assertTrue(self.sites.keys() - paid, "one site is not paid for, so that a refusal can be shown")

    def test_the_programme_has_a_clause_for_everything(self):
        for line in self.programme["ratio"]:
            self.assertTrue(line["clause"])
            self.assertTrue(0 < line["per_mille"] <= 1000)
        for field in ("kinds", "registered_in", "sites", "tiers", "models"):
            self.assertTrue(self.programme[field]["clause"], field)


if __name__ == "__main__":
    unittest.main()

"""The decoder and its JSON Schema agree, in the judgement of python3-jsonschema.

Usage: check.py SAMPLES, a program that prints a schema and then lines of verdict, tab, document.
"""
import json
import subprocess
import sys

import jsonschema

schema, *lines = subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout.split("\n")[:-1]
schema = json.loads(schema)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)

counts = {True: 0, False: 0}
for line in lines:
    verdict, document = line.split("\t")
    accepted = verdict == "accepted"
    counts[accepted] += 1
    errors = list(validator.iter_errors(json.loads(document)))
    if accepted == bool(errors):
        why = errors[0].message[:300] if errors else "it fits"
        sys.exit(f"the decoder says: {verdict}\nthe schema says: {why}\n{document}")
if min(counts.values()) < len(lines) // 10:
    sys.exit(f"the samples prove little: {counts[True]} accepted, {counts[False]} refused")
print(f"{counts[True]} accepted and {counts[False]} refused, both agree")

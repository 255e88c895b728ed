#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds docs/formats/alert.schema.json against the samples that test_alert.c uses, too:
what passes here passes there. Ends 77 (skipped) without python3-jsonschema."""
import copy
import json
import sys

try:
    import jsonschema
except ImportError:
    print("SKIPPED: python3-jsonschema is not installed")
    sys.exit(77)


def changed(base, pointer, value):
    alert = copy.deepcopy(base)
    *path, last = pointer.split("/")[1:]
    at = alert
    for key in path:
        at = at[int(key)] if isinstance(at, list) else at[key]
    if isinstance(at, list):
        at[int(last)] = value
    elif value == "REMOVE":
        del at[last]
    else:
        at[last] = value
    return alert


def main(schema_path, samples_path):
    with open(schema_path, encoding="utf-8") as file:
        schema = json.load(file)
    with open(samples_path, encoding="utf-8") as file:
        samples = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    failed = 0
    for kind, want in (("valid", True), ("invalid", False)):
        for pointer, value in samples[kind]:
            if validator.is_valid(changed(samples["base"], pointer, value)) != want:
                print(f"{kind} sample {pointer} = {json.dumps(value)[:60]} is judged wrong")
                failed += 1
    if not validator.is_valid(samples["base"]):
        print("the base sample is not valid")
        failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))

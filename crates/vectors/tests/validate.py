"""Validates TOML files against a JSON Schema with the foreign `jsonschema`.

Arguments: the schema, then files. For each file that the schema refuses, one
line: the file, a tab, where and why.
"""

import json
import sys
import tomllib

from jsonschema import Draft202012Validator

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for name in sys.argv[2:]:
    with open(name, "rb") as file:
        data = tomllib.load(file)
    for error in validator.iter_errors(data):
        why = f"{error.json_path}: {error.message[:200]}".replace("\n", " ")
        print(f"{name}\t{why}")
        break

"""Prints the `run:` of each step of the workflow in a document, parted by NUL bytes.

  run_lines.py DOCUMENT

Knows as much of YAML as a workflow needs: steps that begin with `- `, `run:` with its text behind it or in a block below."""

import re
import sys

document = open(sys.argv[1], encoding="utf-8").read()
workflows = re.findall(r"^```yaml\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
if len(workflows) != 1:
    sys.exit(f"{sys.argv[1]} has {len(workflows)} fenced pieces of yaml, not one")
if "\t" in workflows[0]:
    sys.exit("a tab in yaml")
lines = workflows[0].splitlines()
runs = []
for number, line in enumerate(lines):
    found = re.fullmatch(r"( *)(- )?run: ?(.*)", line)
    if not found:
        continue
    indent = len(found[1]) + len(found[2] or "")
    if found[3] != "|":
        runs.append(found[3])
        continue
    block = []
    for below in lines[number + 1:]:
        if below.strip() and len(below) - len(below.lstrip()) <= indent:
            break
        block.append(below)
    margin = min(len(below) - len(below.lstrip()) for below in block if below.strip())
    runs.append("\n".join(below[margin:] for below in block))
for run in runs:
    if "${{" in run:
        sys.exit(f"a run: that only GitHub can execute: {run}")
sys.stdout.write("".join(run + "\0" for run in runs))

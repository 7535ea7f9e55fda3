"""Prints the expressions of Grafana dashboards as recording rules, for promtool to check."""

import json
import sys

rules = [
    {"record": f"panel_{panel['id']}_{target['refId'].lower()}", "expr": target["expr"]}
    for path in sys.argv[1:]
    for panel in json.load(open(path))["panels"]
    for target in panel["targets"]
]
# JSON is YAML.
json.dump({"groups": [{"name": "dashboards", "rules": rules}]}, sys.stdout)

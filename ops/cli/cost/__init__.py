"""`maraude cost`: estimated cost on AWS, from the units that the benchmark counted.

Units come from `bench/figures.json`, which `make bench` writes, prices from `infra/prices.yaml`, which has
a date. What was neither counted nor has a price is assumed (`estimate.py`), and printed as such.
"""

from ops.cli.cost.command import add_parser as add_parser

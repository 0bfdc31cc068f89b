"""Benchmarks of positions, searches and requests, counted and timed: `make bench`. Never in the zip."""

import os

# Before anything of ours is imported: the stage names the tables. Nothing here reaches a network.
for _name, _value in {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_DEFAULT_REGION": "eu-west-3",
    "MARAUDE_STAGE": "bench",
}.items():
    os.environ.setdefault(_name, _value)

"""Load test of a whole local system: as many positions as the machine holds, with searches and hails.

`make load` (docs/evidence/reliability.md). The system is a `maraude up` of its own on a folder of its own; the
senders are a process of their own; what is counted at the end is read from the tables.
"""

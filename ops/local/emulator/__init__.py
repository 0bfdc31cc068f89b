"""MiniStack with the few repairs that a system needs which runs for hours with thousands of taxis.

Each module repairs one thing, says why, and is tested by counts in tests/ops/test_local_emulator.py.
Everything else is MiniStack's own, and any other AWS-compatible services do instead of it.
"""

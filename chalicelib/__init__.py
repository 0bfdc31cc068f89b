"""The registry's code: what runs on AWS."""

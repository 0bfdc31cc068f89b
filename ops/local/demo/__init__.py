"""The demonstration: drawn towns, a fleet that drives and answers hails, and a customer."""

# Settings of the system that it runs on, unless the environment has others: the official console's two
# simulators act as the integration account, whoever uses them.
SETTINGS = {"MARAUDE_INTEGRATION_ENABLED": "true"}

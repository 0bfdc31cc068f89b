"""A contract of import-linter: a domain asks another through its public modules only."""

from collections.abc import Sequence

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class Domains(Contract):
    """Between the packages of `container`, only the modules named `public` are imported.

    A module of `container` itself, which is in no package of it, may be imported by all.
    """

    type_name = "domains"

    # Fields until the contract is made, and what they hold from then on.
    container: str = fields.StringField()  # type: ignore[assignment]
    public: Sequence[str] = fields.ListField(subfield=fields.StringField())  # type: ignore[assignment]

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001  # the library's signature
        """Looks at each import from one domain into another."""
        domains = {
            child for child in graph.find_children(self.container) if graph.find_children(child)
        }
        broken = [
            (importer, imported)
            for domain in domains
            for imported in (domain, *graph.find_descendants(domain))
            for importer in graph.find_modules_that_directly_import(imported)
            if importer.startswith(f"{self.container}.")
            and not f"{importer}.".startswith(f"{domain}.")
            and importer.removeprefix(f"{self.container}.").count(".")
            and imported.rpartition(".")[2] not in self.public
        ]
        return ContractCheck(kept=not broken, metadata={"broken": sorted(broken)})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Says which imports are meant."""
        for importer, imported in check.metadata["broken"]:
            output.print_error(f"{importer} imports {imported}: ask its {' or '.join(self.public)}")

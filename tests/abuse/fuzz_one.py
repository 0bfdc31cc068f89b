"""One decoder under atheris, which ends the process: `fuzz` starts this. Arguments: its name, libFuzzer's."""

import shutil
import sys

import atheris

from tests.abuse.fuzz import KEPT, LONGEST, TOO_SLOW_S

# Only what is loaded here is watched, and finds its way to atheris; all of Python would take a minute.
with atheris.instrument_imports(include=["chalicelib", "udp_gateway", "tests.abuse.decoders"]):
    from tests.abuse.decoders import DECODERS


def main(name: str, limits: list[str]) -> None:
    """Attacks, and never returns."""
    decoder = DECODERS[name]
    kept = KEPT / name.replace(" ", "-")
    corpus = kept / "corpus"
    shutil.rmtree(corpus, ignore_errors=True)  # so that a seed means the same inputs again
    corpus.mkdir(parents=True)
    for number, good in enumerate(decoder.good):
        (corpus / f"good-{number}").write_bytes(good)

    def attempt(sent: bytes) -> None:
        try:
            decoder.decode(sent)
        except decoder.refusal:
            return

    options = [f"-max_len={LONGEST}", f"-timeout={TOO_SLOW_S}", f"-artifact_prefix={kept}/"]
    atheris.Setup([sys.argv[0], *limits, *options, str(corpus)], attempt)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

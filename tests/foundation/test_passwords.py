"""What is kept of a password, and what matches it."""

import hashlib
from base64 import b64encode

from chalicelib.foundation import passwords


def test_only_the_password_matches() -> None:
    kept = passwords.hashed("correct horse")

    assert passwords.matches("correct horse", kept)
    assert not passwords.matches("correct Horse", kept)
    assert not passwords.matches("", kept)


def test_one_password_is_kept_differently_each_time() -> None:
    assert passwords.hashed("correct horse") != passwords.hashed("correct horse")


def test_nothing_matches_where_nothing_was_kept() -> None:
    assert not passwords.matches("", "")
    assert not passwords.matches("correct horse", "")


def test_a_letter_may_be_typed_composed_or_not() -> None:
    assert passwords.matches("re\u0301volution", passwords.hashed("r\u00e9volution"))


def test_a_hash_of_other_parameters_still_matches_and_is_weak() -> None:
    made = hashlib.scrypt(b"correct horse", salt=b"salt", n=2**10, r=8, p=1, dklen=32)
    kept = f"scrypt$10$8$1${b64encode(b'salt').decode()}${b64encode(made).decode()}"

    assert passwords.matches("correct horse", kept)
    assert not passwords.matches("battery staple", kept)
    assert passwords.is_weak(kept)
    assert not passwords.is_weak(passwords.hashed("correct horse"))

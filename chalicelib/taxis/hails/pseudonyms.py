"""Pseudonyms of the customers of blurred hails [contract: Retention]."""

import hashlib
import hmac

from chalicelib.foundation import sealing

_MARK = "blurred-"


def pseudonym(moteur_id: int, customer_id: str) -> str:
    """What stands for a moteur's customer: a keyed hash, the same for all hails while the secret key is.

    40 characters. Without the key nobody can try which id it stands for.
    """
    key = sealing.derived_keys("customers of blurred hails")[0]
    about = f"{moteur_id} {customer_id}".encode("utf-8", "surrogatepass")
    return _MARK + hmac.new(key, about, hashlib.sha256).hexdigest()[:32]


def is_pseudonym(customer_id: str) -> bool:
    """Whether a blurred hail's customer is one."""
    return customer_id.startswith(_MARK)

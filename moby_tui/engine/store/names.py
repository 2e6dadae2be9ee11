"""Names for containers: which are allowed, and made-up ones for those that were given none."""

from __future__ import annotations

import os
import re

from moby_tui.errors import InvalidArgument

_NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]+"

_ADJECTIVES = """
able airy alert amber ample apt arctic ardent azure balmy bold brave bright brisk broad calm candid chief civil clear clever
coral cosmic crisp curious daring deep deft eager early earnest easy fair famous fast fine firm fleet fluent fond frank fresh
gentle glad golden grand green happy hardy honest humble ideal jolly just keen kind late level light lively loyal lucid lucky
major mellow merry mighty mild modest neat nimble noble patient plain polite prime proud quick quiet rapid ready regal robust
rosy royal rural sharp silent silver simple smart smooth snug solid sound spry steady stoic strong sturdy subtle sunny sure
swift tall tender tidy tough tranquil trusty upbeat urban valid vast vivid warm wise witty young zesty
"""

_SURNAMES = """
abel ampere anning avogadro babbage banach banneker bardeen bell bernoulli bohr bolyai boole borlaug bose boyle brahe braun
cantor carson carver cauchy cerf chandra church codd conway copernicus coulomb crick curie dalton darwin davy descartes dirac
doppler eckert edison einstein engelbart erdos euler faraday fermat fermi feynman fibonacci fleming fourier franklin galois
galilei gauss gibbs goedel goodall hamilton hawking heisenberg herschel hertz hilbert hodgkin hopper hubble huygens hypatia
jacobi joule kepler kilby knuth lagrange laplace lavoisier leavitt leibniz linnaeus lovelace maxwell mcclintock meitner mendel
mirzakhani nash newton nightingale noether ohm pascal pasteur pauli planck poincare ptolemy ramanujan riemann ritchie rutherford
sagan shannon somerville tesla thales thompson torvalds turing volta watt wiles wu yalow
"""


def check_name(name: str) -> str:
    """The name, without a leading slash. Raises ``InvalidArgument`` if a container cannot be called so."""
    bare = name.removeprefix("/")
    if not re.fullmatch(_NAME, bare):
        raise InvalidArgument(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return bare


def random_name(attempt: int = 0) -> str:
    """A name nobody chose, as ``keen_noether``; with a number once the plain ones seem to run out."""
    name = f"{_any_of(_ADJECTIVES.split())}_{_any_of(_SURNAMES.split())}"
    return name if attempt < 5 else f"{name}{_below(10 ** (attempt - 4))}"


def _any_of(words: list[str]) -> str:
    return words[_below(len(words))]


def _below(limit: int) -> int:
    """Any number below the limit. Importing ``random`` would take longer than all else that a name needs."""
    return int.from_bytes(os.urandom(8), "little") % limit

"""Go's template language (``text/template``, as Go 1.24 has it) over values of ours.

https://pkg.go.dev/text/template says what it means. ``lexer`` finds the tokens, ``parser`` the tree (``nodes``), ``execution``
walks it over a value (``values``) with the functions of ``builtins`` and those that the caller adds; ``printing`` is Go's ``fmt``.
"""

from moby_tui.templates.errors import TemplateError
from moby_tui.templates.template import Template

__all__ = ["Template", "TemplateError"]

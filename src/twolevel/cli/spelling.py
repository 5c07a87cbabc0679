"""A parser that helps with words that it does not know."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from twolevel.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class HelpfulParser(argparse.ArgumentParser):
    """Names the nearest spelling of an unknown word, under the usage of the command it was for.

    argparse looks at unknown options last: their values are taken for something else by then, and
    what it complains about is that, or the usage it shows is that of the whole program.
    """

    commands: Mapping[str, argparse.ArgumentParser] = {}  # all sub-commands, by name

    def parse_known_args(  # type: ignore[override]  # never without a namespace here
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Refuse options that do not exist before anything else: none is returned as unknown."""
        words = list(args or ())
        unknown = [option for option in self._options_among(words) if not self._knows(option)]
        if unknown:
            self.error("; ".join(self._help_with(option) for option in dict.fromkeys(unknown)))
        namespace, rest = super().parse_known_args(words, namespace)
        if rest:
            self.error(f"too many arguments: {' '.join(rest)}")
        return namespace, rest

    def _options_among(self, words: Sequence[str]) -> list[str]:
        """Return what argparse takes for options; up to a sub-command, whose own follow it."""
        options = []
        for word in words:
            is_option = word.startswith("-") and word != "-" and " " not in word
            if word == "--" or (self._subparsers is not None and not is_option):
                break
            if is_option and not word[1].isdigit() and word[1] != ".":  # not a number
                options.append(word.partition("=")[0])
        return options

    def _knows(self, option: str) -> bool:
        of_one_letter = option[:2] if not option.startswith("--") else option
        return bool({option, of_one_letter} & set(self._option_string_actions))

    def _help_with(self, option: str) -> str:
        others = [
            f"`{parser.prog}`"
            for parser in self.commands.values()
            if parser is not self and option in parser._option_string_actions  # noqa: SLF001  # of our own kind
        ]
        if others and self._subparsers is not None:
            return f"{option} goes after the command: it is an option of {' and '.join(others)}"
        if others:
            return f"{option} is an option of {' and '.join(others)}, not of `{self.prog}`"
        whole_words = [name for name in self._option_string_actions if name.startswith("--")]
        hint = did_you_mean(f"--{option.lstrip('-').lower()}", whole_words)
        return f"no such option: {option}" + (f". {hint}" if hint else "")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            hint = did_you_mean(str(value).lower(), map(str, action.choices or ()))
            if hint and isinstance(value, str):
                error.message += f". {hint}"
            raise

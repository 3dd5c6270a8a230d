"""Options of commands that are settings, made from the descriptions of the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import click

from engram.cli.files.given_path import GivenPath
from engram.config import describe_settings
from engram.settings.setting import Setting
from engram.settings.sources import option

F = TypeVar("F", bound=Callable[..., object])

_SETTINGS: Final = describe_settings()


class SettingOption(click.Option):
    """An option that sets one setting. Click takes any text, which is checked like the values of other sources.

    Parameters
    ----------
    declarations
        Names of the option.
    described
        The setting.
    """

    def __init__(self, declarations: Sequence[str], *, described: Setting) -> None:
        is_switch = isinstance(described.default, bool)
        has_default = described.shown_default and not is_switch
        default = f" [default: {described.shown_default}]" if has_default else ""
        super().__init__(
            declarations,
            metavar=None if is_switch else _metavar(described),
            help=described.help.replace("`", "'") + default,
            default=None,
            # Only whether a directory is a file can be said here already, before a server starts to open it.
            type=GivenPath(file_okay=False) if described.metavar == "DIR" else None,
        )
        self.group: Final = described.group


class GroupedCommand(click.Command):
    """A command whose help lists settings below the headings of their groups, behind all other options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section of the help for each group."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            heading = parameter.group if isinstance(parameter, SettingOption) else "Options"
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(heading, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def setting_option(section: str, key: str) -> Callable[[F], F]:
    """Return a decorator that adds the option for one setting; the command gets None if it is not given."""
    described = _SETTINGS[section][key]
    name = option(key)
    declaration = f"{name}/{option('no_' + key)}" if isinstance(described.default, bool) else name
    return click.option(declaration, cls=SettingOption, described=described)


def setting_options(section: str) -> Callable[[F], F]:
    """Return a decorator that adds an option for each setting of a section, in the order of their descriptions."""

    def decorate(command: F) -> F:
        for key in reversed(_SETTINGS[section]):
            command = setting_option(section, key)(command)
        return command

    return decorate


def _metavar(described: Setting) -> str:
    if described.metavar:
        return described.metavar
    if described.choices:
        return f"[{'|'.join(described.choices)}]"
    return described.unit.upper() or "NUMBER"

"""What every command shares: errors that become one sentence and a status, and the stage shown on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

BAD_INPUT = 2
INTERRUPTED = 130
BROKEN_PIPE = 141


class SuggestingGroup(click.Group):
    """A group that names the nearest command when one is unknown, and turns input errors into one sentence and status 2."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            from theorems.errors import nearest

            raise click.UsageError(f"no such command {args[0]!r}{nearest(args[0], self.commands)}", ctx)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, standalone_mode: bool = True, **kwargs: Any) -> Any:  # type: ignore[override]
        """Run the command line; errors of usage are one sentence too."""
        run: Callable[..., Any] = super().main
        if not standalone_mode:
            return run(*args, standalone_mode=False, **kwargs)
        try:
            status = run(*args, standalone_mode=False, **kwargs)
        except click.ClickException as error:
            _refuse(error.format_message())
        except click.Abort:
            sys.exit(INTERRUPTED)
        sys.exit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        from numerics.errors import NumericsError
        from theorems.errors import InputError
        from verify.errors import ProblemError

        try:
            return super().invoke(ctx)
        except (InputError, ProblemError, NumericsError) as error:
            _refuse(str(error))
        except OverflowError:
            _refuse(
                "a number of this problem exceeds the range of double precision; look at weight_scale, output_scale and the data"
            )
        except MemoryError:
            _refuse("this problem does not fit into memory")
        except KeyboardInterrupt:
            click.echo("overparam: interrupted", err=True)
            sys.exit(INTERRUPTED)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                _refuse(f"standard output or a file cannot be written: {error.strerror or error}")
            # Nobody reads on; without this the interpreter would complain about stdout once more when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(BROKEN_PIPE)


def _refuse(sentence: str) -> NoReturn:
    click.echo(f"overparam: {sentence}", err=True)
    sys.exit(BAD_INPUT)


@contextmanager
def stages() -> Iterator[Callable[[str], None]]:
    """The present stage on stderr when it is a terminal, else silence."""
    if not sys.stderr.isatty():
        yield lambda stage: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield lambda stage: status.update(stage)

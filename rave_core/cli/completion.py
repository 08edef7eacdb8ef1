"""``rave completion``: the scripts that make shells complete commands, operations and arguments."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  eval "$(rave completion bash)"      in ~/.bashrc
    zsh:   eval "$(rave completion zsh)"       in ~/.zshrc
    fish:  rave completion fish | source       in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = click.get_current_context().find_root().command
    click.echo(kind(root, {}, "rave", "_RAVE_COMPLETE").source())

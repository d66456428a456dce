"""The command ``luxport``: finds the subcommand and hands it the rest of the arguments."""

from __future__ import annotations

from importlib import import_module

from luxport.command_line import Arguments
from luxport.version import __version__

__all__ = ["main"]

COMMANDS = {
    "convert": (
        "luxport.porting.convert_command",
        "write what a BSON.jl or JLD2 file holds as ONNX, safetensors, or JLD2 for Julia",
    ),
    "inspect": ("luxport.porting.inspect_command", "show what a BSON.jl or JLD2 file holds"),
    "port": ("luxport.porting.translate.command", "turn Julia code of a Flux or Lux model into Python"),
    "conformance": ("luxport_conformance.command", "run the conformance suite on one backend or on all"),
}
"""Each command with its module, which is imported only when the command runs, and its help text."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name and return its exit status."""
    parser = Arguments(prog="luxport", description="Neural-network layers written once.")
    parser.add_argument("--version", action="version", version=f"luxport {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, purpose) in COMMANDS.items():
        commands.add_parser(name, help=purpose, add_help=False)
    options, rest = parser.parse_known_args(arguments)
    return import_module(COMMANDS[options.command][0]).main(rest)

"""Run programs and device packages on emulated Cortex-M boards, and count what they cost."""

from edge_sv.emulate.board import DEFAULT_BOARD, Board, board_of, load_board
from edge_sv.emulate.machine import FirmwareRun, run_firmware, run_program
from edge_sv.emulate.program import Program, build_program
from edge_sv.emulate.tools import find_tool, tools_missing

__all__ = [
    "DEFAULT_BOARD",
    "Board",
    "FirmwareRun",
    "Program",
    "board_of",
    "build_program",
    "find_tool",
    "load_board",
    "run_firmware",
    "run_program",
    "tools_missing",
]

"""Run programs and device packages on emulated Cortex-M boards, and count what they cost."""

from edge_sv.emulation.board import DEFAULT_BOARD, Board, board_of, default_board, load_board
from edge_sv.emulation.line_protocol import Verified
from edge_sv.emulation.program import Program, build_program
from edge_sv.emulation.qemu import FirmwareRun, run_firmware, run_program
from edge_sv.emulation.report import INSTRUCTIONS_PER_CYCLE, Emulation, OperatorCost
from edge_sv.emulation.run import check_exact, emulate
from edge_sv.emulation.speaker import Recordings
from edge_sv.emulation.tools import find_tool, tools_missing

__all__ = [
    "DEFAULT_BOARD",
    "INSTRUCTIONS_PER_CYCLE",
    "Board",
    "Emulation",
    "FirmwareRun",
    "OperatorCost",
    "Program",
    "Recordings",
    "Verified",
    "board_of",
    "build_program",
    "check_exact",
    "default_board",
    "emulate",
    "find_tool",
    "load_board",
    "run_firmware",
    "run_program",
    "tools_missing",
]

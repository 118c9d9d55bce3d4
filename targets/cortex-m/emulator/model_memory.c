/* What a program that uses the net reserves. */
#include "esv_align.h"

#include EMULATOR_NET_HEADER

extern uint8_t emulator_memory[EMULATOR_ARENA_BYTES];

ESV_ALIGNED(16) uint8_t emulator_memory[EMULATOR_ARENA_BYTES];

/* What a firmware with this package reserves beside its stack. */
#include "esv.h"

#include EMULATOR_CONFIG_HEADER

extern uint8_t emulator_memory[];
extern const size_t emulator_memory_bytes;

ESV_ALIGNED(16) uint8_t emulator_memory[EMULATOR_MEMORY_BYTES];
const size_t emulator_memory_bytes = sizeof emulator_memory;

/* What a firmware with this package reserves beside its stack: EMULATOR_MEMORY_BYTES names the package's constant. */
#include "esv_align.h"

#include EMULATOR_NET_HEADER

extern uint8_t device_memory[];

ESV_ALIGNED(16) uint8_t device_memory[EMULATOR_MEMORY_BYTES];

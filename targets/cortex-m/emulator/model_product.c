/* What a firmware with a bare net reserves beside its stack. */
#include "esv_align.h"
#include "net_names.h"

extern uint8_t device_memory[];

ESV_ALIGNED(16) uint8_t device_memory[NET_CONSTANT(_ARENA_BYTES)];

#include "speaker_product.h"

ESV_ALIGNED(16) uint8_t device_memory[NET_CONSTANT(_MEMORY_BYTES)];
esv_protocol device_protocol;

/* What a firmware with a net that TensorFlow Lite Micro runs reserves beside its stack. */
#include "esv_model.h"

extern uint8_t device_memory[];

ESV_ALIGNED(16) uint8_t device_memory[ESV_MODEL_MEMORY_BYTES];

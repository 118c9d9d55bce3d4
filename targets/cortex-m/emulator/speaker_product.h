/* What a firmware with a speaker package reserves beside its stack. */
#ifndef SPEAKER_PRODUCT_H
#define SPEAKER_PRODUCT_H

#include "esv_protocol.h"
#include "net_names.h"

extern uint8_t device_memory[NET_CONSTANT(_MEMORY_BYTES)];
extern esv_protocol device_protocol;

#endif /* SPEAKER_PRODUCT_H */

/* A whole device on this computer: runtime, protocol, flash in RAM. One at a time. */
#ifndef DEVICE_H
#define DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "esv_protocol.h"
#include "ram_flash.h"

/* Makes the device. flags: see below. Returns the status of esv_init. */
esv_status device_make(unsigned flags);
#define DEVICE_WITH_KEY 1u
#define DEVICE_WITHOUT_FLASH 2u
#define DEVICE_CHECKS_SPEECH 4u
#define DEVICE_SKIPS_SILENCE 8u
#define DEVICE_WITH_MICROPHONE 16u
#define DEVICE_WITH_COHORT 32u
#define DEVICE_KEEPS_FLASH 64u /* switched off and on: the flash stays */

/* Gives the protocol bytes; their answers are added to device_answers. */
void device_receive(const uint8_t *bytes, size_t count);

extern esv *device;
extern ram_flash device_flash;
extern char device_answers[]; /* text, ends with a zero */
void device_clear_answers(void);

#endif /* DEVICE_H */

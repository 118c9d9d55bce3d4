/* Flash in RAM that fails like flash: it can lose its power at any step, and it notices misuse.
 *
 * A step is one program unit programmed or one sector erased. Misuse (a unit programmed twice, a sector programmed
 * whose erasing was cut short, an offset out of line) ends the program. */
#ifndef RAM_FLASH_H
#define RAM_FLASH_H

#include <stdbool.h>
#include <stdint.h>

#include "esv_port.h"

#ifndef RAM_FLASH_BYTES
#define RAM_FLASH_BYTES 65536u
#endif
#define RAM_FLASH_SECTORS 16u

typedef enum {
    RAM_FLASH_CUT_BEFORE,  /* the step does not happen */
    RAM_FLASH_CUT_WITHIN,  /* it happens in part: some bits of the unit, any state of each byte of the sector */
    RAM_FLASH_CUT_UNSTABLE /* likewise, and what was cut cannot be read until it is erased (error correcting code) */
} ram_flash_cut;

typedef struct {
    esv_flash flash;
    uint8_t bytes[RAM_FLASH_BYTES];
    uint8_t spent[RAM_FLASH_BYTES];    /* by unit: programmed since the last erase */
    uint8_t unstable[RAM_FLASH_BYTES]; /* by unit: cannot be read */
    uint8_t weak[RAM_FLASH_SECTORS];   /* erasing was cut short */
    uint32_t erases[RAM_FLASH_SECTORS];
    uint64_t steps;
    uint64_t cut_at; /* this step is cut; UINT64_MAX: none */
    ram_flash_cut cut;
    uint32_t random;
    bool dead; /* the power is gone */
} ram_flash;

void ram_flash_init(ram_flash *self, uint32_t sector_bytes, uint16_t sector_count, uint16_t program_bytes);

/* Switches the power back on; the next cut is that many steps away, UINT64_MAX: never. */
void ram_flash_power_up(ram_flash *self, uint64_t steps_to_cut);

#endif /* RAM_FLASH_H */

/* The emulated board as the library sees it: a flash that is the file flash.bin, and a clock that takes an
 * instruction for a cycle. Recordings come over the line protocol. */
#ifndef BOARD_PORT_H
#define BOARD_PORT_H

#include "esv_port.h"

#define BOARD_SECTOR_BYTES 4096
#define BOARD_SECTOR_COUNT 2
#define BOARD_PROGRAM_BYTES 8

/* Opens the flash's file, which holds BOARD_SECTOR_COUNT sectors. */
const esv_port *board_port(void);

#endif /* BOARD_PORT_H */

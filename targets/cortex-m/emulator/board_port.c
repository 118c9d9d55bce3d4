#include "board_port.h"

#include <string.h>

#include "emulator.h"

static int board_flash = -1; /* handle */

static esv_status board_read(void *context, uint32_t offset, void *bytes, size_t count)
{
    (void)context;
    emulator_seek(board_flash, offset);
    return emulator_read(board_flash, bytes, count) == count ? ESV_OK : ESV_ERR_FLASH;
}

/* Programs what is erased, and nothing else: real flash would hold the old bits and the new ones mixed. */
static esv_status board_program(void *context, uint32_t offset, const void *bytes, size_t count)
{
    (void)context;
    uint8_t before[BOARD_PROGRAM_BYTES];
    const uint8_t *const values = (const uint8_t *)bytes;
    if (offset % BOARD_PROGRAM_BYTES != 0 || count % BOARD_PROGRAM_BYTES != 0) {
        return ESV_ERR_FLASH;
    }
    for (size_t done = 0; done < count; done += sizeof before) {
        if (board_read(context, offset + (uint32_t)done, before, sizeof before) != ESV_OK) {
            return ESV_ERR_FLASH;
        }
        for (size_t i = 0; i < sizeof before; ++i) {
            if (before[i] != 0xFF) {
                return ESV_ERR_FLASH;
            }
        }
        emulator_seek(board_flash, offset + done);
        if (emulator_write_bytes(board_flash, &values[done], sizeof before) != sizeof before) {
            return ESV_ERR_FLASH;
        }
    }
    return ESV_OK;
}

static esv_status board_erase(void *context, uint32_t offset)
{
    (void)context;
    uint8_t erased[64];
    memset(erased, 0xFF, sizeof erased);
    emulator_seek(board_flash, offset);
    for (size_t done = 0; done < BOARD_SECTOR_BYTES; done += sizeof erased) {
        if (emulator_write_bytes(board_flash, erased, sizeof erased) != sizeof erased) {
            return ESV_ERR_FLASH;
        }
    }
    return ESV_OK;
}

/* To a percent, by a 32-bit division: the C library's 64-bit one would be counted to the package. */
static uint32_t board_milliseconds(void *context)
{
    (void)context;
    return (uint32_t)(emulator_instructions() >> 8) / (EMULATOR_CLOCK_HZ / 256000u);
}

static void board_write_line(void *context, const char *line)
{
    (void)context;
    emulator_write(line);
    emulator_write("\n");
}

const esv_port *board_port(void)
{
    static const uint8_t key[16] = {'e', 'm', 'u', 'l', 'a', 't', 'e', 'd', ' ', 'd', 'e', 'v', 'i', 'c', 'e', '!'};
    static const esv_flash flash = {
        NULL, board_read, board_program, board_erase, BOARD_SECTOR_BYTES, BOARD_SECTOR_COUNT, BOARD_PROGRAM_BYTES};
    static const esv_port port = {NULL, &flash, key, board_milliseconds, board_write_line, NULL};
    board_flash = emulator_open_update("flash.bin");
    return &port;
}

#include "board_port.h"

#include <string.h>

#include "emulator.h"

typedef struct {
    int flash;     /* handle */
    int recording; /* handle, -1 between two recordings */
    char next;     /* number of the next recording, as a digit */
} board_files;

static board_files files = {-1, -1, '0'};

static esv_status board_read(void *context, uint32_t offset, void *bytes, size_t count)
{
    const board_files *const self = (const board_files *)context;
    emulator_seek(self->flash, offset);
    return emulator_read(self->flash, bytes, count) == count ? ESV_OK : ESV_ERR_FLASH;
}

/* Programs what is erased, and nothing else: real flash would hold the old bits and the new ones mixed. */
static esv_status board_program(void *context, uint32_t offset, const void *bytes, size_t count)
{
    const board_files *const self = (const board_files *)context;
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
        emulator_seek(self->flash, offset + done);
        if (emulator_write_bytes(self->flash, &values[done], sizeof before) != sizeof before) {
            return ESV_ERR_FLASH;
        }
    }
    return ESV_OK;
}

static esv_status board_erase(void *context, uint32_t offset)
{
    const board_files *const self = (const board_files *)context;
    uint8_t erased[64];
    memset(erased, 0xFF, sizeof erased);
    emulator_seek(self->flash, offset);
    for (size_t done = 0; done < BOARD_SECTOR_BYTES; done += sizeof erased) {
        if (emulator_write_bytes(self->flash, erased, sizeof erased) != sizeof erased) {
            return ESV_ERR_FLASH;
        }
    }
    return ESV_OK;
}

static uint32_t board_milliseconds(void *context)
{
    (void)context;
    return (uint32_t)(emulator_instructions() / (EMULATOR_CLOCK_HZ / 1000u));
}

static void board_write_line(void *context, const char *line)
{
    (void)context;
    emulator_write(line);
    emulator_write("\n");
}

static size_t board_record(void *context, int16_t *pcm, size_t count)
{
    board_files *const self = (board_files *)context;
    if (self->recording < 0) {
        char path[] = "recording_0.pcm";
        path[10] = self->next++;
        self->recording = emulator_open_read(path);
    }
    const size_t samples = self->recording < 0 ? 0 : emulator_read(self->recording, pcm, count * sizeof *pcm) / 2;
    if (samples == 0 && self->recording >= 0) {
        emulator_close(self->recording);
        self->recording = -1;
    }
    return samples;
}

const esv_port *board_port(void)
{
    static const uint8_t key[16] = {'e', 'm', 'u', 'l', 'a', 't', 'e', 'd', ' ', 'd', 'e', 'v', 'i', 'c', 'e', '!'};
    static const esv_flash flash = {
        &files, board_read, board_program, board_erase, BOARD_SECTOR_BYTES, BOARD_SECTOR_COUNT, BOARD_PROGRAM_BYTES};
    static const esv_port port = {&files, &flash, key, board_milliseconds, board_write_line, board_record};
    files.flash = emulator_open_update("flash.bin");
    return &port;
}

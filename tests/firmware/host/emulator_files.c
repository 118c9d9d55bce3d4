/* What emulator.h promises about files and text, on this computer. */
#include <stdio.h>

#include "emulator.h"

static FILE *files[4];

static int open_file(const char *path, const char *mode)
{
    for (int i = 0; i < 4; ++i) {
        if (files[i] == NULL) {
            files[i] = fopen(path, mode);
            return files[i] == NULL ? -1 : i;
        }
    }
    return -1;
}

int emulator_open_read(const char *path) { return open_file(path, "rb"); }

int emulator_open_write(const char *path) { return open_file(path, "wb"); }

size_t emulator_read(int handle, void *buffer, size_t bytes) { return fread(buffer, 1, bytes, files[handle]); }

size_t emulator_write_bytes(int handle, const void *buffer, size_t bytes)
{
    return fwrite(buffer, 1, bytes, files[handle]);
}

size_t emulator_length(int handle)
{
    const long at = ftell(files[handle]);
    fseek(files[handle], 0, SEEK_END);
    const long length = ftell(files[handle]);
    fseek(files[handle], at, SEEK_SET);
    return (size_t)length;
}

void emulator_close(int handle)
{
    fclose(files[handle]);
    files[handle] = NULL;
}

void emulator_write(const char *text) { fputs(text, stdout); }

void emulator_write_decimal(uint64_t value) { printf("%llu", (unsigned long long)value); }

uint64_t emulator_instructions(void) { return 0; }

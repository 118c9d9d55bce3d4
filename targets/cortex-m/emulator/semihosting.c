/* Source: Arm, "Semihosting for AArch32 and AArch64", release 2. */
#include "emulator.h"

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_SEEK = 0x0A,
    SYS_FLEN = 0x0C,
    SYS_GET_CMDLINE = 0x15,
    SYS_EXIT_EXTENDED = 0x20,
    MODE_READ = 1,   /* "rb" */
    MODE_UPDATE = 3, /* "r+b" */
    MODE_WRITE = 5   /* "wb" */
};

static intptr_t emulator_call(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (intptr_t)r0;
}

void emulator_exit(int code)
{
    const uintptr_t block[2] = {0x20026 /* ADP_Stopped_ApplicationExit */, (uintptr_t)code};
    (void)emulator_call(SYS_EXIT_EXTENDED, block);
    for (;;) {
    }
}

void emulator_write(const char *text) { (void)emulator_call(SYS_WRITE0, text); }

/* By subtraction: the C library's 64-bit division would be counted to the package. */
void emulator_write_decimal(uint64_t value)
{
    static const uint64_t powers[] = {10000000000000000000u,
                                      1000000000000000000u,
                                      100000000000000000u,
                                      10000000000000000u,
                                      1000000000000000u,
                                      100000000000000u,
                                      10000000000000u,
                                      1000000000000u,
                                      100000000000u,
                                      10000000000u,
                                      1000000000u,
                                      100000000u,
                                      10000000u,
                                      1000000u,
                                      100000u,
                                      10000u,
                                      1000u,
                                      100u,
                                      10u,
                                      1u};
    char digits[21]; /* 2^64 has 20 */
    size_t count = 0;
    for (size_t i = 0; i < sizeof powers / sizeof powers[0]; ++i) {
        char digit = '0';
        for (; value >= powers[i]; value -= powers[i]) {
            ++digit;
        }
        if (count > 0 || digit > '0' || powers[i] == 1u) {
            digits[count++] = digit;
        }
    }
    digits[count] = '\0';
    emulator_write(digits);
}

static int emulator_open(const char *path, uintptr_t mode)
{
    uintptr_t length = 0; /* strlen would be counted to the package */
    while (path[length] != '\0') {
        ++length;
    }
    const uintptr_t block[3] = {(uintptr_t)path, mode, length};
    return (int)emulator_call(SYS_OPEN, block);
}

int emulator_open_read(const char *path) { return emulator_open(path, MODE_READ); }

int emulator_open_write(const char *path) { return emulator_open(path, MODE_WRITE); }

int emulator_open_update(const char *path) { return emulator_open(path, MODE_UPDATE); }

/* Both calls answer with the number of bytes that they did not move. */
static size_t emulator_move(uint32_t operation, int handle, const void *buffer, size_t bytes)
{
    const uintptr_t block[3] = {(uintptr_t)handle, (uintptr_t)buffer, bytes};
    const size_t left = (size_t)emulator_call(operation, block);
    return left > bytes ? 0 : bytes - left;
}

size_t emulator_read(int handle, void *buffer, size_t bytes) { return emulator_move(SYS_READ, handle, buffer, bytes); }

size_t emulator_write_bytes(int handle, const void *buffer, size_t bytes)
{
    return emulator_move(SYS_WRITE, handle, buffer, bytes);
}

void emulator_seek(int handle, size_t position)
{
    const uintptr_t block[2] = {(uintptr_t)handle, position};
    (void)emulator_call(SYS_SEEK, block);
}

size_t emulator_length(int handle)
{
    const uintptr_t block[1] = {(uintptr_t)handle};
    const intptr_t length = emulator_call(SYS_FLEN, block);
    return length < 0 ? 0 : (size_t)length;
}

void emulator_close(int handle)
{
    const uintptr_t block[1] = {(uintptr_t)handle};
    (void)emulator_call(SYS_CLOSE, block);
}

int emulator_arguments(char *line, size_t line_bytes, char *words[], int max_words)
{
    const uintptr_t block[2] = {(uintptr_t)line, line_bytes};
    int count = 0;
    if (emulator_call(SYS_GET_CMDLINE, block) != 0) {
        return 0;
    }
    for (char *at = line; *at != '\0'; ++at) {
        if (*at == ' ') {
            *at = '\0';
        } else if ((at == line || at[-1] == '\0') && count < max_words) {
            words[count++] = at;
        }
    }
    return count;
}

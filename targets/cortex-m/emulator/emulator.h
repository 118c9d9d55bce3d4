/* What a program on the emulated board may use; it provides main.
 *
 * Files and text go through semihosting to the computer that runs the emulator. Instructions are counted by SysTick
 * under QEMU's -icount shift=0, where an instruction takes a nanosecond: one count is some instructions (40 at 25 MHz),
 * and the same program with the same input always counts the same. Instructions are not cycles. */
#ifndef EMULATOR_H
#define EMULATOR_H

#include <stddef.h>
#include <stdint.h>

#define EMULATOR_FAULT 99 /* exit code after a fault */

int main(int argc, char *argv[]);

/* Ends the program. */
void emulator_exit(int code) __attribute__((noreturn));

/* Writes text to the computer's output. */
void emulator_write(const char *text);
void emulator_write_decimal(uint64_t value);

/* Files of the computer. Open returns a handle, or -1; read and write return the bytes that they moved. */
int emulator_open_read(const char *path);
int emulator_open_write(const char *path);
int emulator_open_update(const char *path);
size_t emulator_read(int handle, void *buffer, size_t bytes);
size_t emulator_write_bytes(int handle, const void *buffer, size_t bytes);
void emulator_seek(int handle, size_t position);
size_t emulator_length(int handle);
void emulator_close(int handle);

/* Splits the command line into words, in place; returns how many. */
int emulator_arguments(char *line, size_t line_bytes, char *words[], int max_words);

/* Instructions since the reset, to the length of a count; the raw counts are cheaper to read. */
void emulator_clock_start(void);
uint64_t emulator_counts(void);
uint64_t emulator_to_instructions(uint64_t counts);
uint64_t emulator_instructions(void);

/* Fills the free part of the stack with a pattern; how many bytes deeper the stack has grown since then. */
void emulator_stack_paint(void);
size_t emulator_stack_used(void);

/* Writes what each operator of the net has taken, a line each; only in programs with ESV_OPERATOR_HOOK. */
void emulator_write_operators(void);

#endif /* EMULATOR_H */
